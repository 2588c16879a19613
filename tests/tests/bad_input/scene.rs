//! An installation with one of everything, for rows to be wrong about, and the shell that they are typed into.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use windlass_protocol::Digest;
use windlass_protocol::token::{Token, TokenKind};
use windlass_tests::installation::Installation;

/// A row that does not end in so many seconds never does.
const SECONDS: &str = "60";

/// A function of the shell: runs a command without what lets root read every file.
const PLAIN: &str = r#"plain() { [ "$(id -u)" = 0 ] && set -- setpriv --bounding-set -dac_override,-dac_read_search "$@"; "$@"; }"#;

const DOCUMENTS: &str = r#"
kind: environment
name: Testing
order: 1
---
kind: environment
name: Production
order: 2
---
kind: tag-set
name: Hosting
type: single
tags: [{name: Shared 1}, {name: Dedicated}]
---
kind: lifecycle
name: Straight to production
phases: [{name: Live, environments: [Production]}]
---
kind: library-set
name: Contact details
templates: [{name: Alias, default: none}]
---
kind: project
name: Synergy
tenancy: tenanted-or-untenanted
library-sets: [Contact details]
templates:
  - {name: Database, default: test}
  - {name: Colour, control: select, options: [red, green], default: red}
variables: {LogLevel: [{value: Info}]}
steps: [{name: Website, roles: [web], package: {id: synergy-web}}]
---
kind: project
name: Strict
tenancy: tenanted
lifecycle: Straight to production
templates: [{name: Password, control: sensitive}]
steps: [{name: Say, roles: [web], script: {body: 'echo "$(get_windlassvariable Password)"'}}]
---
kind: tenant
name: Customer-1
tags: [Hosting/Shared 1]
projects: {Synergy: [Testing, Production], Strict: [Production]}
---
kind: tenant
name: Customer-2
tags: [Hosting/Dedicated]
projects: {Synergy: [Production]}
"#;

/// What the rows are about.
pub struct Scene {
    /// The coordinator that they talk to.
    pub installation: Installation,
    /// Where they are typed.
    pub folder: PathBuf,
    variables: Vec<(String, String)>,
    _temporary: tempfile::TempDir,
}

impl Scene {
    /// Makes everything.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let root = temporary.path().canonicalize().expect("it is there");
        let installation = Installation::start(&root).expect("an installation");
        let folder = root.join("scratch");
        std::fs::create_dir_all(folder.join("home")).expect("a folder");
        let mut scene = Self { installation, folder, variables: Vec::new(), _temporary: temporary };
        scene.installation.apply(DOCUMENTS);
        scene.surround();
        scene.furnish();
        scene
    }

    /// The variables that rows may use.
    fn surround(&mut self) {
        let programs = windlass_tests::programs().expect("the programs build");
        let path = std::env::var("PATH").unwrap_or_default();
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let free = free.expect("a port that nobody listens on").to_string();
        let auditor = self.token(&["token", "create", "--name", "reader", "--role", "auditor"]);
        let gone = self.token(&["token", "create", "--name", "gone", "--role", "auditor"]);
        self.installation.windlass(&["token", "delete", "gone"]);
        let enrolment = self.token(&["enrolment", "create", "--environment", "Production", "--role", "web"]);
        let taken = self.token(&["enrolment", "create", "--environment", "Production", "--uses", "9"]);
        for (name, value) in [
            ("PATH", format!("{}:{path}", programs.display())),
            ("HOME", self.folder.join("home").display().to_string()),
            ("WINDLASS_SERVER", self.installation.server()),
            ("WINDLASS_TOKEN", self.installation.token().to_owned()),
            ("WINDLASS_LOG", "off".to_owned()),
            ("QUIC", self.installation.quic.clone()),
            ("HTTP", self.installation.server().trim_start_matches("https://").to_owned()),
            ("DATA", self.installation.folder.join("data").display().to_string()),
            ("NOBODY_LISTENS", free),
            ("AUDITOR", auditor),
            ("REVOKED", gone),
            ("USED", enrolment),
            ("UNKNOWN", other_token(&taken, false)),
            ("FOREIGN", other_token(&taken, true)),
            ("GOOD", taken),
        ] {
            self.variables.push((name.to_owned(), value));
        }
    }

    fn token(&self, arguments: &[&str]) -> String {
        let made = self.installation.windlass(&[arguments, &["-o", "json"]].concat());
        let made: Value = serde_json::from_str(&made).expect("JSON");
        made["token"].as_str().expect("a token").to_owned()
    }

    /// A package, a release, an enrolled agent that does not run, and a deployment that waits for it.
    fn furnish(&mut self) {
        for preparation in [
            "mkdir package && echo content > package/file && tar -czf synergy-web.1.0.0.tar.gz -C package file",
            "windlass package upload synergy-web.1.0.0.tar.gz",
            "windlass release create --project Synergy --version 1.0.0",
            "windlass release create --project Strict --version 1.0.0",
            "printf 'coordinator = \"%s\"\\nstate_root = \"%s/agent\"\\ninstall_root = \"%s/install\"\\n' \"$QUIC\" \"$PWD\" \"$PWD\" > agent.toml",
            "windlass-agent enrol --config agent.toml --name shared-1 --token \"$USED\"",
            "windlass release deploy --project Synergy --version 1.0.0 --environment Testing",
        ] {
            let output = self.shell(preparation);
            assert!(output.status.success(), "{preparation}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let list = self.installation.windlass(&["deployment", "list", "-o", "json"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
        self.variables.push(("DEPLOYMENT".to_owned(), id));
    }

    /// Types a line. `plain` before a command takes root's right away to read every file.
    pub fn shell(&self, line: &str) -> Output {
        self.command(line).output().expect("the shell starts")
    }

    /// The shell with a line, to be started.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after", "5", SECONDS, "bash", "-c", &format!("{PLAIN}; {line}")])
            .current_dir(&self.folder)
            .env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(std::process::Stdio::null());
        command
    }

    /// A text without what differs from run to run.
    pub fn normalised(&self, text: &str) -> String {
        let root = self.installation.folder.display().to_string();
        let mut text = text.replace(&format!("{}/", self.folder.display()), "").replace(&root, "ROOT");
        for name in ["NOBODY_LISTENS", "HTTP", "QUIC", "DEPLOYMENT"] {
            if let Some((_, value)) = self.variables.iter().find(|(variable, _)| variable == name) {
                text = text.replace(value.as_str(), name);
            }
        }
        let words = text.split_inclusive([' ', '\n', ',', ';']).map(without_digest);
        words.collect()
    }

    /// Everything that bad input must leave as it is.
    pub fn snapshot(&self) -> Vec<String> {
        let lists = ["package", "release", "target", "token", "enrolment", "deployment"];
        let mut all = vec![self.installation.windlass(&["export"])];
        all.extend(lists.map(|noun| self.installation.windlass(&[noun, "list", "-o", "json"])));
        all
    }
}

/// A token like this one, but nobody made it; of another coordinator where it is `foreign`.
fn other_token(like: &str, foreign: bool) -> String {
    let mut token = Token::parse(TokenKind::Enrolment, like).expect("a token");
    token.id[0] ^= 1;
    if foreign {
        token.fingerprint = Digest::of("the CA of somebody else");
    }
    token.to_text().to_string()
}

fn without_digest(word: &str) -> String {
    let digits = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
    let zeros = digits.bytes().all(|byte| byte == b'0');
    let digest = !zeros && digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digest { word.replace(digits, "DIGEST") } else { word.to_owned() }
}
