//! The reasons for which single sign-on failed, as the sign-in page shows them. The URL contains the reason as a word.

/// The reason of a failed single sign-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SsoFailure {
    /// The provider cannot be reached.
    Unavailable,
    /// The database cannot be reached.
    Database,
    /// The state was used before, is too old, or belongs to another browser.
    Over,
    /// The provider refused the sign-in, or the person cancelled it.
    Cancelled,
    /// The response of the provider is not valid.
    Refused,
    /// The person has no user here.
    NoAccount,
    /// The user is disabled.
    UserDisabled,
    /// The user's tenant is suspended.
    TenantSuspended,
    /// The claims would take the role from the last administrator.
    LastAdministrator,
    /// Too many sign-ins from this address.
    Throttled,
}

impl SsoFailure {
    /// The parameter of the sign-in page.
    pub const PARAMETER: &str = "sso";

    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Unavailable,
        Self::Database,
        Self::Over,
        Self::Cancelled,
        Self::Refused,
        Self::NoAccount,
        Self::UserDisabled,
        Self::TenantSuspended,
        Self::LastAdministrator,
        Self::Throttled,
    ];

    /// The word in the URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Database => "database",
            Self::Over => "over",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::NoAccount => "no-account",
            Self::UserDisabled => "disabled",
            Self::TenantSuspended => "suspended",
            Self::LastAdministrator => "last-administrator",
            Self::Throttled => "throttled",
        }
    }

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|failure| failure.as_str() == word)
    }

    /// The sentence for the person.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unavailable => "Single sign-on can’t be reached. Try again in a moment.",
            Self::Database => "Latchkey can’t reach its database. Try again in a moment.",
            Self::Over => "This sign-in took too long or was used before. Start again.",
            Self::Cancelled => "The sign-in was cancelled or refused by your sign-in provider.",
            Self::Refused => {
                "The response of your sign-in provider was not accepted. Ask your operator."
            }
            Self::NoAccount => "You have no account here. Ask your operator for access.",
            Self::UserDisabled => "Your account is disabled. Ask your operator to enable it.",
            Self::TenantSuspended => "Your organisation is suspended. Ask your operator.",
            Self::LastAdministrator => {
                "Your role has changed, and your organisation would have no administrator. Ask your operator."
            }
            Self::Throttled => "Too many sign-ins were started here. Try again in 15 minutes.",
        }
    }
}
