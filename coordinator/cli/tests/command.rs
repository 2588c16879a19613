//! The real command against a server that answers what it is told to: exit codes, sentences, files.

#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use windlass_protocol::Digest;
use windlass_protocol::token::{Token, TokenKind};

fn token() -> String {
    let secret = zeroize::Zeroizing::new([2; 32]);
    let token = Token { kind: TokenKind::Api, id: [1; 16], secret, fingerprint: Digest::of("ca") };
    token.to_text().to_string()
}

/// A server that gives each request the next of these answers, and tells the heads of the requests.
fn server(answers: Vec<(u16, &'static str)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for (status, body) in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0, "a whole head comes");
            }
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut request = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut request).unwrap();
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            heads.push(format!("{head}{}", String::from_utf8_lossy(&request)));
        }
        heads
    });
    (address, thread)
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.args(arguments).env_clear().env("HOME", home);
    command
}

fn run(server: &str, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = command(home.path(), arguments);
    command.env("WINDLASS_SERVER", server).env("WINDLASS_TOKEN", token()).output().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn each_kind_of_no_has_its_exit_code_and_one_sentence() {
    let cases = [
        (422, r#"{"kind":"failed","message":"it failed"}"#, 1, "error: it failed\n"),
        (400, r#"{"kind":"usage","message":"not so"}"#, 2, "error: not so\n"),
        (403, r#"{"kind":"not-authorised","message":"you may not"}"#, 3, "error: you may not\n"),
        (404, r#"{"kind":"not-found","message":"no such target"}"#, 4, "error: no such target\n"),
        (409, r#"{"kind":"conflict","message":"in use"}"#, 5, "error: in use\n"),
    ];
    for (status, body, code, sentence) in cases {
        let (address, _thread) = server(vec![(status, body)]);
        let output = run(&address, &["target", "list"]);
        assert_eq!(output.status.code(), Some(code), "{}", error(&output));
        assert_eq!(error(&output), sentence);
        assert!(output.stdout.is_empty());
    }
    let unauthorised = r#"{"kind":"not-authorised","message":"x"}"#;
    let (address, _thread) = server(vec![(401, unauthorised)]);
    let output = run(&address, &["target", "list"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(error(&output).contains("does not accept the token"), "{}", error(&output));
}

#[test]
fn who_cannot_be_reached_is_told_with_6() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&format!("https://{free}"), &["target", "list"]);
    assert_eq!(output.status.code(), Some(6), "{}", error(&output));
    assert!(
        error(&output).starts_with(&format!("error: cannot reach https://{free}: ")),
        "{}",
        error(&output)
    );
    assert_eq!(error(&output).lines().count(), 1);
}

#[test]
fn what_cannot_be_meant_ends_with_2_and_sends_nothing() {
    let nobody = "http://127.0.0.1:1";
    for arguments in [&["tennant", "list"][..], &["apply", "-f", "/not/there.yaml"], &["release", "deploy"]] {
        let output = run(nobody, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", error(&output));
    }
    let output = run("http://deploy.example.com", &["target", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("unprotected"), "{}", error(&output));
    let home = tempfile::tempdir().unwrap();
    let output = command(home.path(), &["target", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("windlass login"), "{}", error(&output));
    assert_eq!(run(nobody, &["--help"]).status.code(), Some(0));
}

#[test]
fn a_list_is_a_table_or_what_the_api_answered() {
    let page = r#"{"items":[{"id":"environment-1","kind":"environment","slug":"testing","name":"Testing","summary":""}],"next":null}"#;
    let (address, thread) = server(vec![(200, page), (200, page), (200, page)]);
    let table = run(&address, &["environment", "list", "--space", "Other", "--filter", "a b"]);
    let json = run(&address, &["environment", "list", "-o", "json"]);
    let yaml = run(&address, &["environment", "list", "-o", "yaml"]);
    assert_eq!(String::from_utf8(table.stdout).unwrap(), " NAME     SLUG     SUMMARY\n Testing  testing\n");
    let answered: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(answered, serde_json::from_str::<serde_json::Value>(page).unwrap());
    assert!(String::from_utf8(yaml.stdout).unwrap().contains("name: Testing"));
    let heads = thread.join().unwrap();
    assert!(
        heads[0].starts_with("GET /api/v1/definitions/environment?filter=a+b&space=Other HTTP/1.1"),
        "{}",
        heads[0]
    );
    assert!(heads[0].to_lowercase().contains(&format!("authorization: bearer {}", token().to_lowercase())));
}

#[test]
fn secrets_of_the_surroundings_are_sent_and_never_printed() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(
        place.path().join("b.yaml"),
        "kind: tenant\nname: T\nvalues:\n  P: {Key: {from-env: CANARY}}\n",
    )
    .unwrap();
    std::fs::write(place.path().join("a.yml"), "kind: environment\nname: E\n").unwrap();
    std::fs::write(place.path().join("note.txt"), "not a document").unwrap();
    let answer = r#"{"changes":[{"kind":"environment","name":"E","change":"created"}],"warnings":["short"]}"#;
    let (address, thread) = server(vec![(200, answer)]);
    let home = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let mut command = command(home.path(), &["apply", "-f", folder, "--dry-run"]);
    command.env("WINDLASS_SERVER", &address).env("WINDLASS_TOKEN", token()).env("CANARY", "canary-value");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    assert_eq!(error(&output), "warning: short\n");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("canary"));
    let request = thread.join().unwrap().remove(0);
    let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["dry-run"], true);
    assert_eq!(body["documents"][0]["place"], format!("{folder}/a.yml:1"));
    assert_eq!(body["documents"][1]["document"]["values"]["P"]["Key"]["secret"], "canary-value");
}

#[test]
fn a_plan_that_deploys_nothing_is_printed_and_fails() {
    let plan = r#"{"digest":"sha256:0","project":"P","release":"1","deployments":[],
        "left_out":[{"environment":"E","tenant":"T","rule":"lifecycle","reason":"needs a success in Staging first"}]}"#;
    let (address, _thread) = server(vec![(200, plan), (200, plan)]);
    let deploy = ["release", "deploy", "--project", "P", "--version", "1", "--environment", "E", "--plan"];
    let output = run(&address, &deploy);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("needs a success in Staging first") && text.contains("lifecycle"), "{text}");
    let output = run(&address, &[&deploy[..], &["-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let answered: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answered["left_out"][0]["rule"], "lifecycle");
}

#[test]
fn a_plan_of_which_no_target_gets_anything_is_printed_and_fails_with_one_sentence() {
    let step = |of: &str| {
        format!(
            r#"{{"digest":"sha256:0","project":"P","release":"1","left_out":[],"deployments":[{{"environment":"E","tenant":"T","steps":[{of}]}}]}}"#
        )
    };
    let target = |state: &str| {
        format!(r#"[{{"target":"web-1","state":"{state}","rule":null,"reason":"is disabled"}}]"#)
    };
    let run_step = |targets: &str| {
        step(&format!(r#"{{"name":"S","state":"run","rule":null,"reason":null,"targets":{targets}}}"#))
    };
    let skipped = |rule: &str, reason: &str, targets: &str| {
        step(&format!(
            r#"{{"name":"S","state":"skipped","rule":"{rule}","reason":"{reason}","targets":{targets}}}"#
        ))
    };
    let nothing = "error: nothing would be deployed: ";
    let (no_target, role) = ("no-target", "no target with the role web is in scope");
    for (plan, code, said) in [
        (run_step(&target("in")), 0, String::new()),
        (
            skipped(no_target, role, &target("out")),
            1,
            format!("{nothing}step `S`: {role}; target `web-1` is disabled\n"),
        ),
        (skipped(no_target, role, "[]"), 1, format!("{nothing}step `S`: {role}\n")),
        (
            skipped("step-skipped", "skipped by the request", "[]"),
            1,
            format!("{nothing}step `S`: skipped by the request\n"),
        ),
        (step(""), 1, format!("{nothing}the release has no steps\n")),
    ] {
        let (address, _thread) = server(vec![(200, plan.leak())]);
        let deploy =
            ["release", "deploy", "--project", "P", "--version", "1", "--environment", "E", "--plan"];
        let output = run(&address, &deploy);
        assert_eq!((output.status.code(), error(&output)), (Some(code), said));
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn waiting_ends_with_the_deployment_and_fails_if_it_did() {
    let item = r#"{"deployments":[{"id":"deployment-1","project":"P","release":"1","environment":"E","tenant":null,"state":"fetching","created":"x"}]}"#;
    let view = r#"{"id":"deployment-1","project":"P","release":"1","environment":"E","tenant":null,"state":"failed","created":"x",
        "reason":"step `S` failed on M","waits":[],"targets":[],
        "steps":[{"step":"S","target":"M","state":"failed","reason":"failed (exit code 1)","lines":2}]}"#;
    let (address, _thread) = server(vec![(200, item), (200, view)]);
    let deploy = ["release", "deploy", "--project", "P", "--version", "1", "--environment", "E", "--wait"];
    let output = run(&address, &deploy);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(error(&output), "E: S on M: failed, failed (exit code 1)\nE: failed: step `S` failed on M\n");
    assert!(String::from_utf8_lossy(&output.stdout).contains("failed"));
}

#[test]
fn a_login_is_kept_for_its_owner_and_used_from_then_on() {
    let whoami = r#"{"token":"ci","role":"auditor","expires":null,"space":"Default","authority":"00","version":"0.1.0"}"#;
    let page = r#"{"items":[],"next":null}"#;
    let (address, thread) = server(vec![(200, whoami), (200, page)]);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    std::fs::write(&file, format!("{}\n", token())).unwrap();
    let login = ["login", "--server", &address, "--token-file", file.to_str().unwrap(), "--name", "work"];
    let output = command(home.path(), &login).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let contexts = home.path().join(".config/windlass/contexts.toml");
    assert_eq!(std::fs::metadata(&contexts).unwrap().permissions().mode() & 0o777, 0o600);
    let output = command(home.path(), &["target", "list"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"nothing\n".as_slice()));
    assert_eq!(thread.join().unwrap().len(), 2);
    let output = command(home.path(), &["context", "list", "-o", "json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"work\"") && !text.contains("wlt_"), "{text}");
    let output = command(home.path(), &["context", "use", "home"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_target_that_is_connected_was_last_seen_now() {
    let scope = r#"{"roles":null,"environments":null,"tenants":null,"participation":null}"#;
    for (online, seen, said) in [
        ("true", "null", "yes, last seen now"),
        ("false", "\"2026-01-02T03:04:05Z\"", "no, last seen 2026-01-02T03:04:05Z"),
        ("false", "null", "no, last seen not since the coordinator started"),
    ] {
        let view = format!(
            r#"{{"id":"target-1","slug":"t","name":"T","enabled":true,"revoked":false,"held":false,"online":{online},"roles":[],
            "environments":[],"over_claims":false,"granted":{scope},"advertised":{scope},"effective":{scope},
            "tenants":[],"claims":[],"isolation":"accounts","agent_version":"1","last_seen":{seen},
            "certificate_expires":"x","public_key":"00"}}"#
        );
        let (address, _thread) = server(vec![(200, view.leak())]);
        let output = run(&address, &["target", "view", "T"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("online        {said}\n")), "{text}");
    }
}

#[test]
fn a_project_is_shown_with_its_releases_and_stays_what_apply_reads() {
    let view = r#"{"id":"project-1","slug":"p","name":"P","document":{"kind":"project","name":"P"},
        "releases":{"count":3,"newest":["1.2","1.1"]}}"#;
    let (address, _thread) = server(vec![(200, view)]);
    let output = run(&address, &["project", "view", "P", "-o", "yaml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("# project-1\n# releases: 1.2, 1.1 and 1 older ones\n"), "{text}");
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let (address, _thread) = server(vec![(200, r#"{"changes":[]}"#)]);
    let output = run(&address, &["apply", "-f", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
}

#[test]
fn what_a_target_may_hold_is_called_by_its_names_where_they_are_known() {
    let found = r#"{"target":"T","nothing":null,"now":[],"could":[],
        "holds":[{"manifest":"aa","names":["web 1.0","site 1.0"]},{"manifest":"bb","names":[]}]}"#;
    let (address, _thread) = server(vec![(200, found)]);
    let output = run(&address, &["audit", "what-can", "T"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("may still hold:\nweb 1.0, site 1.0\nbb\n"), "{text}");
}

#[test]
fn completions_and_man_pages_come_with_it() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = command(home.path(), &["completions", shell]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("enrolment"), "{shell}");
    }
    let folder = home.path().join("man");
    let output = command(home.path(), &["man", folder.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    assert!(folder.join("windlass-release-deploy.1").exists());
}
