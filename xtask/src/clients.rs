//! Generates clients from the OpenAPI document without options, compiles them and runs them (P76): openapi-generator for Go, TypeScript, Python and
//! Java, and openapi-python-client. The programs that use the clients are in `xtask/clients`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::instance::{Instance, Server};
use crate::profile::Profile;
use crate::serve;
use crate::tools;
use crate::workspace::Workspace;

/// The import path that openapi-generator gives a Go client without options.
const GO_CLIENT: &str = "github.com/GIT_USER_ID/GIT_REPO_ID";

/// Runs [`check`] with the debug build.
///
/// # Errors
/// As [`check`], and if something cannot be installed or does not compile.
pub(crate) fn clients(workspace: &Workspace) -> Result<()> {
    tools::npm_packages(workspace)?;
    tools::client_toolchains()?;
    let generators = tools::client_generators(workspace)?;
    serve::compile_binary(workspace, Profile::Debug)?;
    check(
        workspace,
        &serve::binary(workspace, Profile::Debug),
        &generators,
    )
}

/// Generates, compiles and runs clients of the API of `binary`. `generators` is the environment of [`tools::client_generators`].
///
/// # Errors
/// If a client cannot be generated, does not compile, or gets a response that its program does not expect.
pub(crate) fn check(workspace: &Workspace, binary: &Path, generators: &Path) -> Result<()> {
    let clients = Clients::start(workspace, binary, generators)?;
    clients.go()?;
    clients.typescript()?;
    clients.python()?;
    clients.openapi_python_client()?;
    clients.java()
}

struct Clients<'a> {
    workspace: &'a Workspace,
    generators: &'a Path,
    key: String,
    group: String,
    // Declared first, because it is dropped before the instance whose folder it uses.
    server: Server,
    instance: Instance,
}

impl<'a> Clients<'a> {
    fn start(workspace: &'a Workspace, binary: &Path, generators: &'a Path) -> Result<Self> {
        let instance = Instance::new(binary, "clients")?;
        instance.json(&["tenant", "create", "--name", "Acme"])?;
        let mut group = vec!["group", "create", "--tenant", "acme", "--name", "All"];
        group.extend(["--type", "tenant_api_key"]);
        for permission in ["api-keys:read", "api-keys:write", "api-keys:verify"] {
            group.extend(["--permission", permission]);
        }
        let text = |answer: serde_json::Value, member: &str| {
            let text = answer[member].as_str().map(str::to_owned);
            text.with_context(|| format!("the command's output has no {member}"))
        };
        let group = text(instance.json(&group)?, "id")?;
        let mut key = vec!["key", "create", "--tenant", "acme", "--name", "Admin"];
        key.extend(["--group", "All"]);
        let key = text(instance.json(&key)?, "secret")?;
        Ok(Self {
            workspace,
            generators,
            key,
            group,
            server: instance.serve()?,
            instance,
        })
    }

    /// The folder of a generated client.
    fn folder(&self, name: &str) -> PathBuf {
        self.instance.folder.join("clients").join(name)
    }

    /// The path of a program that uses a client.
    fn program(&self, name: &str) -> PathBuf {
        self.workspace.root.join("xtask/clients").join(name)
    }

    fn document(&self) -> String {
        format!("{}/api/v1/openapi.json", self.server.url)
    }

    /// Generates a client with openapi-generator.
    fn generate(&self, generator: &str, folder: &Path) -> Result<()> {
        let mut generate = Command::new(self.generators.join("bin/openapi-generator-cli"));
        generate
            .args(["generate", "-i", &self.document(), "-g", generator, "-o"])
            .arg(folder);
        // Its output, many lines per file, is dropped.
        command::output(&mut generate)
            .map(drop)
            .with_context(|| format!("openapi-generator for {generator}"))
    }

    /// Runs a program that compiles or uses a client.
    fn run(&self, command: &mut Command) -> Result<()> {
        command::run(
            command
                .env("LATCHKEY_URL", &self.server.url)
                .env("LATCHKEY_KEY", &self.key)
                .env("LATCHKEY_GROUP", &self.group)
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        )
    }

    fn go(&self) -> Result<()> {
        let path = self.folder("go");
        self.generate("go", &path.join("src").join(GO_CLIENT))?;
        let own = path.join("src/use");
        fs::create_dir_all(&own)?;
        fs::copy(self.program("use.go"), own.join("main.go"))?;
        // GOPATH contains Debian's libraries. Modules would have to be downloaded, and require a newer Go than Debian's.
        let search = format!("{}:{}", path.display(), tools::GO_LIBRARIES);
        let go = |arguments: &[&str]| {
            let mut go = Command::new("go");
            go.args(arguments)
                .env("GO111MODULE", "off")
                .env("GOFLAGS", "")
                .env("GOPATH", &search)
                .env("GOCACHE", self.folder("go-cache"));
            self.run(&mut go)
        };
        go(&["vet", &format!("{GO_CLIENT}/..."), "use"]).context("the client for Go")?;
        go(&["run", "use"]).context("the client for Go")
    }

    fn typescript(&self) -> Result<()> {
        let folder = self.folder("typescript");
        self.generate("typescript-fetch", &folder.join("client"))?;
        fs::copy(self.program("use.ts"), folder.join("use.ts"))?;
        let mut compile = Command::new(self.workspace.end2end().join("node_modules/.bin/tsc"));
        compile
            .args(["--strict", "--target", "es2022", "--lib", "es2022,dom"])
            .args(["--module", "commonjs", "--outDir", "out", "use.ts"])
            .current_dir(&folder);
        self.run(&mut compile)
            .context("the client for TypeScript")?;
        self.run(Command::new("node").arg(folder.join("out/use.js")))
            .context("the client for TypeScript")
    }

    fn python(&self) -> Result<()> {
        let folder = self.folder("python");
        self.generate("python", &folder)?;
        self.use_in_python(&folder, "openapi_client", "use_openapi_generator.py")
    }

    fn openapi_python_client(&self) -> Result<()> {
        let folder = self.folder("openapi-python-client");
        let programs = self.generators.join("bin");
        let mut generate = Command::new(programs.join("openapi-python-client"));
        generate
            .args(["generate", "--url", &self.document(), "--output-path"])
            .arg(&folder)
            // The generator formats its output with a program in the same folder.
            .env("PATH", command::path_with(&[programs])?);
        command::output(&mut generate).context("openapi-python-client")?;
        self.use_in_python(&folder, "latchkey_client", "use_openapi_python_client.py")
    }

    fn use_in_python(&self, folder: &Path, package: &str, program: &str) -> Result<()> {
        let python = || {
            let mut python = Command::new(self.generators.join("bin/python"));
            python.env("PYTHONPATH", folder);
            python
        };
        // Also compiles the modules that the program does not import.
        let package = folder.join(package);
        self.run(python().args(["-m", "compileall", "-q"]).arg(&package))
            .with_context(|| format!("{} does not compile", package.display()))?;
        self.run(python().arg(self.program(program)))
            .with_context(|| format!("{program} with its client"))
    }

    /// Only generates the client: Debian's headless Java has no compiler.
    fn java(&self) -> Result<()> {
        let folder = self.folder("java");
        self.generate("java", &folder)?;
        let api = folder.join("src/main/java/org/openapitools/client/api/ApiKeysApi.java");
        ensure!(api.is_file(), "{} was not generated", api.display());
        Ok(())
    }
}
