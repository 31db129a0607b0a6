//! `latchkey user …`

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::{
    id::UserId,
    store::{
        password,
        user_changes::{ChangedUser, UserChange},
        users::NewUser,
    },
    user::{Email, Role, User},
};
use serde::Serialize;

use super::{context::CommandContext, user_link};
use crate::{
    failure::{Failure, NotFoundMessage as _},
    output::{Row, minute, minute_or_dash},
};

/// The longest line that is read as a password, in bytes: more than any password may have.
const MAX_PASSWORD_LINE: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user. Prints a generated password, unless --password-stdin gives one
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: Email,
        /// What the user may do: super_user, tenant_admin or member
        #[arg(long)]
        role: Role,
        /// The tenant, by its slug; for every role but super_user
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
        /// The person's name [default: what stands before the @]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List every user
    List,
    /// Set a user's password, end the user's sessions, and clear what slows sign-in down after wrong passwords
    SetPassword {
        #[command(flatten)]
        user: Address,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Link a person of the single sign-on provider to a user, also to a super user; needs LATCHKEY_OIDC_ISSUER
    LinkSso {
        #[command(flatten)]
        user: Address,
        /// The provider's identifier of the person: the claim `sub`
        #[arg(long, value_name = "SUBJECT")]
        subject: String,
    },
    /// Remove a user's second factor and end the user's sessions. The next sign-in asks for the password alone
    ResetSecondFactor {
        #[command(flatten)]
        user: Address,
    },
    /// End a user's sessions and refuse every further sign-in
    Disable {
        #[command(flatten)]
        user: Address,
    },
    /// Let a disabled user sign in again
    Enable {
        #[command(flatten)]
        user: Address,
    },
    /// Change a user's role
    SetRole {
        #[command(flatten)]
        user: Address,
        /// What the user may do: tenant_admin or member
        #[arg(long)]
        role: Role,
    },
    /// Invite a person, or a user who forgot the password. Prints a link that works once within 72 hours
    Invite {
        /// The person's address
        #[arg(long)]
        email: Email,
        /// What the person may do: super_user, tenant_admin or member
        #[arg(long)]
        role: Role,
        /// The tenant, by its slug; for every role but super_user
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
    },
    /// Print a link that signs a super user in once within 15 minutes
    SignInLink {
        #[command(flatten)]
        user: Address,
    },
}

#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from standard input, one line; without this, one is generated and printed
    #[arg(long)]
    password_stdin: bool,
}

/// Which user: `mira@acme.example` or `--email mira@acme.example`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Address {
    /// The address that the user signs in with
    #[arg(value_name = "EMAIL")]
    address: Option<Email>,
    /// The same, as an option
    #[arg(long)]
    email: Option<Email>,
}

impl Address {
    fn email(self) -> Result<Email, Failure> {
        self.address
            .or(self.email)
            .ok_or_else(|| Failure::new("which user? Name the address"))
    }
}

/// A user in the output.
#[derive(Serialize)]
struct UserRow {
    id: UserId,
    email: Email,
    name: String,
    role: Role,
    /// The tenant's slug.
    tenant: Option<String>,
    disabled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// The password, if this command generated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl UserRow {
    fn new(user: User, tenant: Option<String>) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.name,
            role: user.role,
            tenant,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
            password: None,
        }
    }
}

impl Row for UserRow {
    const HEADINGS: &'static [&'static str] = &[
        "EMAIL",
        "NAME",
        "ROLE",
        "TENANT",
        "DISABLED (UTC)",
        "CREATED (UTC)",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.email.to_string(),
            self.name.clone(),
            self.role.as_str().to_owned(),
            self.tenant.clone().unwrap_or_else(|| "–".to_owned()),
            minute_or_dash(self.disabled_at),
            minute(self.created_at),
        ]
    }
}

/// A password, and whether this command generated it.
struct Password {
    text: String,
    is_generated: bool,
}

impl PasswordSource {
    fn read_password(self) -> Result<Password, Failure> {
        if !self.password_stdin {
            return Ok(Password {
                text: password::generate()?,
                is_generated: true,
            });
        }
        if io::stdin().is_terminal() {
            eprintln!("Password, which will show as you type it:");
        }
        let mut line = String::new();
        io::stdin()
            .lock()
            .take(MAX_PASSWORD_LINE)
            .read_line(&mut line)
            .map_err(|error| Failure::new(format!("cannot read the password: {error}")))?;
        // White space is part of a password; the line break is not.
        let text = line.strip_suffix('\n').unwrap_or(&line);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Ok(Password {
            text: text.to_owned(),
            is_generated: false,
        })
    }
}

impl UserCommand {
    pub(super) async fn run(self, context: &CommandContext) -> Result<(), Failure> {
        let users = context.store.users(&context.operator);
        match self {
            Self::Create {
                email,
                role,
                tenant,
                name,
                password,
            } => {
                if let Some(slug) = &tenant {
                    context.tenant(slug).await?;
                }
                let password = password.read_password()?;
                let new = NewUser {
                    email,
                    name,
                    role,
                    tenant: tenant.clone(),
                };
                let user = users.create(new, &password.text, context.now).await?;
                context.print_user(UserRow::new(user, tenant), &password)
            }
            Self::List => {
                let rows: Vec<_> = users
                    .list()
                    .await?
                    .into_iter()
                    .map(|(user, tenant)| UserRow::new(user, tenant))
                    .collect();
                context.output.list(
                    &rows,
                    "There is no user yet: `latchkey user create --email EMAIL --role super_user` makes one.",
                )
            }
            Self::SetPassword { user, password } => {
                let email = user.email()?;
                let password = password.read_password()?;
                let user = users
                    .set_password(&email, &password.text, context.now)
                    .await
                    .or_not_found("user", email.as_str(), "latchkey user list")?;
                let tenant = context.slug_of(&user).await?;
                context.print_user(UserRow::new(user, tenant), &password)
            }
            Self::ResetSecondFactor { user } => {
                let email = user.email()?;
                let (user, was_on) = users
                    .reset_second_factor(&email, context.now)
                    .await
                    .or_not_found("user", email.as_str(), "latchkey user list")?;
                if !was_on {
                    context.output.note(&format!(
                        "{email} has no second factor: nothing was changed."
                    ));
                }
                let tenant = context.slug_of(&user).await?;
                context.output.one(&UserRow::new(user, tenant))
            }
            Self::Disable { user } => context.change(user, UserChange::Disable).await,
            Self::Enable { user } => context.change(user, UserChange::Enable).await,
            Self::SetRole { user, role } => context.change(user, UserChange::SetRole(role)).await,
            Self::Invite {
                email,
                role,
                tenant,
            } => user_link::invite(context, &email, role, tenant.as_deref()).await,
            Self::SignInLink { user } => user_link::sign_in(context, &user.email()?).await,
            Self::LinkSso { user, subject } => {
                let email = user.email()?;
                let issuer = context.oidc_issuer.as_deref().ok_or_else(|| {
                    Failure::new(
                        "LATCHKEY_OIDC_ISSUER is not set: set it to the issuer with which the server runs",
                    )
                })?;
                let user = context
                    .store
                    .single_sign_on()
                    .link(&context.operator, &email, issuer, &subject, context.now)
                    .await
                    .or_not_found("user", email.as_str(), "latchkey user list")?;
                let tenant = context.slug_of(&user).await?;
                context.output.one(&UserRow::new(user, tenant))
            }
        }
    }
}

impl CommandContext {
    /// The slug of a user's tenant.
    async fn slug_of(&self, user: &User) -> Result<Option<String>, Failure> {
        let users = self.store.users(&self.operator).list().await?;
        Ok(users
            .into_iter()
            .find(|(other, _)| other.id == user.id)
            .and_then(|(_, tenant)| tenant))
    }

    /// Makes a change of a user and warns if it leaves the tenant without an enabled administrator.
    async fn change(&self, user: Address, change: UserChange) -> Result<(), Failure> {
        let email = user.email()?;
        let users = self.store.users(&self.operator);
        let ChangedUser {
            user,
            leaves_no_administrator,
        } = users.change(&email, change, self.now).await.or_not_found(
            "user",
            email.as_str(),
            "latchkey user list",
        )?;
        let tenant = self.slug_of(&user).await?;
        if let (true, Some(tenant)) = (leaves_no_administrator, &tenant) {
            eprintln!("warning: tenant '{tenant}' has no enabled administrator now");
        }
        self.output.one(&UserRow::new(user, tenant))
    }

    fn print_user(&self, mut row: UserRow, password: &Password) -> Result<(), Failure> {
        let is_disabled = row.disabled_at.is_some();
        if is_disabled {
            self.output.note(&format!(
                "{0} stays disabled and cannot sign in: `latchkey user enable {0}` enables the user.",
                row.email
            ));
        }
        if !password.is_generated {
            return self.output.one(&row);
        }
        self.output.note(&if is_disabled {
            "The password is not shown again.".to_owned()
        } else {
            let email = &row.email;
            format!("{email} can sign in with this password. It is not shown again.")
        });
        row.password = Some(password.text.clone());
        self.output.secret(&password.text, &row)
    }
}
