//! The kinds of callers of a route.

use app::page::Access;
use domain::user::Role;

/// A kind of caller of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A user with this access; any client for [`Access::Anyone`].
    User(Access),
    /// An integration with a valid key whose group has this permission; any valid key for `None`.
    Key(Option<&'static str>),
    /// An integration that ends its own key, whatever its allowlist and the state of its tenant.
    OwnKey,
    /// A gateway, with the key of the client's request.
    Gateway,
}

impl From<Access> for Caller {
    fn from(access: Access) -> Self {
        match access {
            // A route of a public page and one without the console's menu have the same callers.
            Access::Public => Self::ANYONE,
            access => Self::User(access),
        }
    }
}

impl Caller {
    /// Any client, without a credential.
    pub const ANYONE: Self = Self::User(Access::Anyone);

    /// Whether a signed-in user of that role may call. Does not check the tenant.
    #[must_use]
    pub const fn admits(self, role: Role) -> bool {
        match self {
            Self::User(access) => access.admits(role),
            Self::Key(_) | Self::OwnKey | Self::Gateway => false,
        }
    }
}
