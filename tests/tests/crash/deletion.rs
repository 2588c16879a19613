//! The deletion of a tenant, killed anywhere: its key is destroyed as soon as the journal says so.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use windlass_tests::journal;

use crate::daemon::Daemon;
use crate::operator::{Operator, wait_until};
use crate::points::DELETION;
use crate::world::init;

const PROJECT: &str = "kind: project\nname: Shop\ntemplates: [{name: Secret, control: sensitive}]\n";

/// The file of a tenant's key.
fn key(data: &Path, tenant: &str) -> std::path::PathBuf {
    let events = journal::events(data);
    let mut tenants = events.iter().map(|event| &event["definition"]["tenant"]);
    let own = tenants.rfind(|defined| defined["name"] == tenant).expect("it was defined");
    data.join("keys").join(journal::field(own, "key"))
}

fn coordinator(programs: &Path, folder: &Path, http: &str) -> Daemon {
    let (program, folder, http) = (programs.join("windlass-coordinator"), folder.to_owned(), http.to_owned());
    let log = folder.join("coordinator.log");
    let start = move || {
        let mut command = Command::new(&program);
        command.arg("serve").arg("--data").arg(folder.join("data"));
        command.args(["--quic", "127.0.0.1:0", "--http", &http]);
        command.env("WINDLASS_FAIL_FOLDER", folder.join("arms"));
        command
    };
    Daemon::keep("coordinator", &log, Box::new(start))
}

#[test]
fn a_deleted_tenants_key_is_destroyed_whenever_the_coordinator_dies() {
    let place = tempfile::tempdir().expect("a folder");
    let (folder, data) = (place.path(), place.path().join("data"));
    fs::create_dir(folder.join("arms")).expect("a folder");
    let programs = windlass_tests::killable_programs().expect("the programs build");
    let token = init(&programs, &data);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let coordinator = coordinator(&programs, folder, &free.to_string());
    let operator = Operator { programs, http: free.to_string(), token };
    wait_until("the start of the coordinator", || TcpStream::connect(&operator.http).is_ok());
    for point in DELETION {
        let documents = format!(
            "{PROJECT}---\nkind: tenant\nname: {point}\nvalues: {{Shop: {{Secret: {{from-env: PATH}}}}}}\n"
        );
        operator.apply(folder, "documents", &documents);
        let key = key(&data, point);
        assert!(key.exists(), "{point}");
        let arm = folder.join("arms").join(point);
        fs::write(arm.with_extension("partial"), "1").expect("a file");
        fs::rename(arm.with_extension("partial"), &arm).expect("the same file system");
        operator.insist(&["tenant", "delete", point], Some("there is no tenant"));
        let killed = folder.join("arms").join(format!("{point}.killed"));
        wait_until(&format!("the kill at {point}"), || killed.exists());
        let tenants: Value = operator.read(&["tenant", "list"]);
        assert_eq!(tenants["items"], serde_json::json!([]), "{point}");
        assert!(!key.exists(), "{point}: the key is there although its tenant is gone");
    }
    assert_eq!(coordinator.refusals(), [""; 0]);
}
