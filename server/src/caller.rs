//! Who may call a route.

use app::page::Access;
use domain::user::Role;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Everybody.
    Anyone,
    /// An integration with a good key whose group has this permission; any good key where it is `None`.
    Key(Option<&'static str>),
    /// A gateway, with the good key of the request that it asks about.
    Gateway,
    /// Who is signed in.
    SignedIn,
    /// A tenant administrator in the own tenant, a super user in the one that the URL names.
    KeyManager,
    /// Who runs the installation.
    SuperUser,
}

impl From<Access> for Caller {
    fn from(access: Access) -> Self {
        match access {
            Access::Anyone => Self::Anyone,
            Access::SignedIn => Self::SignedIn,
            Access::KeyManager => Self::KeyManager,
            Access::SuperUser => Self::SuperUser,
        }
    }
}

impl Caller {
    /// Whether a signed-in user of that role may call; the tenant is not judged by this.
    #[must_use]
    pub const fn admits(self, role: Role) -> bool {
        match self {
            Self::Anyone | Self::SignedIn => true,
            Self::Key(_) | Self::Gateway => false,
            Self::KeyManager => role.manages_keys(),
            Self::SuperUser => matches!(role, Role::SuperUser),
        }
    }
}
