//! The command line. Commands work on the database directly, beside a running server.
//!
//! Standard output contains only the result; log lines, remarks and prompts go to standard error.

mod audit;
mod backup;
mod config;
mod context;
mod documents;
mod encryption_key;
mod group;
mod healthcheck;
mod key;
mod restore;
mod tenant;
mod user;
mod user_link;

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use domain::store::invalidation::control_socket::Confirmation;

use context::CommandContext;

use crate::{
    clock,
    config::{Config, ConfigError, DEFAULT_FILE, help},
    database::open_store,
    failure::Failure,
    logging,
    output::Output,
    serve, version,
};

/// Self-hosted API keys: a console for people, a check on every request.
#[derive(Debug, Parser)]
#[command(
    name = "latchkey",
    version,
    long_version = version::VERSION,
    arg_required_else_help = true,
    after_help = help()
)]
struct CommandLine {
    /// Print the result as JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pages and the API over HTTP
    #[command(after_help = help())]
    Serve(ServeArguments),
    /// Tenants: customer organisations
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Users: people who sign in
    #[command(subcommand)]
    User(user::UserCommand),
    /// Authorization groups: named sets of permissions
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make a key for LATCHKEY_ENCRYPTION_KEY, and print it
    GenerateEncryptionKey,
    /// Encrypt stored secrets with LATCHKEY_ENCRYPTION_KEY that LATCHKEY_ENCRYPTION_KEY_PREVIOUS encrypted
    RotateEncryptionKey,
    /// Copy a SQLite database into one file, also beside a running server
    Backup(backup::BackupArguments),
    /// Make a backup the database again. What was revoked since stays revoked
    Restore(restore::RestoreArguments),
    /// The settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Ask the server on this machine whether it is up; for containers without a shell
    Healthcheck(healthcheck::HealthcheckArguments),
    /// Print a script that completes commands in a shell
    Completions(documents::CompletionsArguments),
    /// Write the manual pages into a folder
    Man(documents::ManArguments),
}

impl Command {
    /// Runs a command that needs no valid settings; `None` for another one.
    fn without_settings(&self, output: Output) -> Option<Result<ExitCode, Failure>> {
        let done = match self {
            Self::Config(command) => return Some(command.run(output)),
            Self::Completions(arguments) => arguments.run(CommandLine::command(), output),
            Self::Man(arguments) => arguments.run(CommandLine::command(), output),
            _ => return None,
        };
        Some(done.map(|()| ExitCode::SUCCESS))
    }

    /// Whether the command makes sense on an empty database.
    const fn may_make_database(&self) -> bool {
        matches!(
            self,
            Self::Tenant(tenant::TenantCommand::Create { .. })
                | Self::User(user::UserCommand::Create { .. })
        )
    }
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// Serve a tenant to play with, in a fresh database that is gone at exit, and print how to sign in
    #[arg(long)]
    demo: bool,
}

/// Exit status: invalid arguments or settings.
const INVALID: u8 = 2;
/// Exit status: the change is committed, but the running server did not confirm it.
const NOT_CONFIRMED: u8 = 3;

/// Runs the command in the process's arguments. Exit status: 0 success, 1 failure, 2 invalid arguments or settings, 3 committed but not
/// confirmed by the running server.
pub async fn run() -> ExitCode {
    let line = CommandLine::parse();
    let output = Output::new(line.json);
    if let Some(done) = line.command.without_settings(output) {
        return done.unwrap_or_else(|failure| {
            failure.report();
            ExitCode::FAILURE
        });
    }
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let log = logging::start(&config.log, config.log_format);
    let done = execute(line.command, config, output).await;
    // Flushes the log, so that the error is the last line.
    drop(log);
    match done {
        Ok(Confirmation::Confirmed) => ExitCode::SUCCESS,
        Ok(Confirmation::NotConfirmed) => ExitCode::from(NOT_CONFIRMED),
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(INVALID)
}

async fn execute(
    command: Command,
    config: Config,
    output: Output,
) -> Result<Confirmation, Failure> {
    let command = match command {
        Command::Serve(arguments) => {
            serve::serve(config, arguments.demo, output).await?;
            return Ok(Confirmation::Confirmed);
        }
        // Neither migrates the schema nor changes rows that a running server caches.
        Command::Backup(arguments) => {
            arguments.run(&config, output).await?;
            return Ok(Confirmation::Confirmed);
        }
        Command::Restore(arguments) => {
            arguments.run(&config, output).await?;
            return Ok(Confirmation::Confirmed);
        }
        Command::Healthcheck(arguments) => {
            arguments.run(&config).await?;
            return Ok(Confirmation::Confirmed);
        }
        Command::GenerateEncryptionKey => {
            encryption_key::generate(output)?;
            return Ok(Confirmation::Confirmed);
        }
        command => command,
    };
    if !command.may_make_database() && !config.names_database && !config.default_database_exists() {
        return Err(Failure::new(format!(
            "there is no database {DEFAULT_FILE} in this folder, and DATABASE_URL names none: set DATABASE_URL, or make one here with `latchkey tenant create`"
        )));
    }
    let person = config.person.clone();
    let store = open_store(&config, false).await?;
    let context = CommandContext {
        operator: store.as_person_at_cli(person.as_deref()),
        store,
        output,
        now: clock::now(),
        public_url: config.public_url.clone(),
        oidc_issuer: config.oidc_issuer.clone(),
    };
    let done = match command {
        Command::Serve(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Healthcheck(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::GenerateEncryptionKey => Ok(()),
        Command::RotateEncryptionKey => encryption_key::rotate(&context).await,
        Command::Tenant(command) => command.run(&context).await,
        Command::User(command) => command.run(&context).await,
        Command::Group(command) => command.run(&context).await,
        Command::Key(command) => command.run(&context).await,
        Command::Audit(command) => command.run(&context).await,
    };
    // This runs after the output, even if the output failed: the output may be a secret that cannot be printed again.
    let confirmation = context.store.confirm().await.unwrap_or_else(|error| {
        tracing::warn!(
            error = &error as &(dyn std::error::Error + 'static),
            "confirmation failed: cannot determine whether a server runs"
        );
        Confirmation::NotConfirmed
    });
    if confirmation == Confirmation::NotConfirmed {
        eprintln!(
            "warning: written, not confirmed: the server that runs on this database does not answer, and may go by the old state"
        );
    }
    done.map(|()| confirmation)
}
