//! The kinds of callers of a route.

use app::page::Access;
use domain::user::Role;

/// A kind of caller of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Any client, without a credential.
    Anyone,
    /// An integration with a valid key whose group has this permission; any valid key for `None`.
    Key(Option<&'static str>),
    /// A gateway, with the key of the client's request.
    Gateway,
    /// Any signed-in user.
    SignedIn,
    /// A tenant administrator in the own tenant; a super user in the tenant of the URL.
    KeyManager,
    /// A super user.
    SuperUser,
}

impl From<Access> for Caller {
    fn from(access: Access) -> Self {
        match access {
            Access::Anyone | Access::Public => Self::Anyone,
            Access::SignedIn => Self::SignedIn,
            Access::KeyManager => Self::KeyManager,
            Access::SuperUser => Self::SuperUser,
        }
    }
}

impl Caller {
    /// Whether a signed-in user of that role may call. Does not check the tenant.
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
