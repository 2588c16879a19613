//! nginx and curl, as everybody would set them up to fetch files safely.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use windlass_tests::installation::{Process, wait_until};

const CONFIGURATION: &str = r"
daemon off;
worker_processes auto;
pid FOLDER/nginx.pid;
error_log FOLDER/error.log;
events { worker_connections 64; }
http {
    access_log off;
    sendfile on;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    keepalive_requests 100000;
    server {
        listen 127.0.0.1:PORT ssl;
        ssl_certificate FOLDER/certificate.pem;
        ssl_certificate_key FOLDER/key.pem;
        ssl_protocols TLSv1.3;
        root SERVED;
    }
}
";

/// The one file is hashed when it has come: a pipe through `tee` into the hash costs more than reading it again. The
/// many are hashed beside the fetching, a hundred at a time.
const ONE: &str = "set -eo pipefail
curl -sf --cacert \"$CERTIFICATE\" -o 00000.bin \"$URL/00000.bin\"
openssl dgst -sha256 00000.bin > digests
sync 00000.bin .";
const MANY: &str = "set -eo pipefail
for file in $(ls \"$SERVED\"); do printf 'url = \"%s/%s\"\\noutput = \"%s\"\\n' \"$URL\" $file $file; done > list
curl -sf --cacert \"$CERTIFICATE\" -w '%{filename_effective}\\n' -K list | xargs -n 100 openssl dgst -sha256 > digests
sync -f .";

/// A running nginx.
pub struct Nginx {
    process: Process,
    folder: PathBuf,
    served: PathBuf,
    port: u16,
}

impl Nginx {
    /// Serves the files below `served`.
    pub fn start(folder: &Path, served: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        fs::write(folder.join("certificate.pem"), key.cert.pem())?;
        fs::write(folder.join("key.pem"), key.signing_key.serialize_pem())?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = CONFIGURATION
            .replace("FOLDER", &folder.to_string_lossy())
            .replace("SERVED", &served.to_string_lossy())
            .replace("PORT", &port.to_string());
        let configuration = folder.join("nginx.conf");
        // Its worker may be another user.
        let text = if nix::unistd::geteuid().is_root() { format!("user root;\n{text}") } else { text };
        fs::write(&configuration, text)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&configuration).arg("-p").arg(folder);
        let process = Process::start(&mut command, &folder.join("log"))
            .context("nginx is needed as the floor of a pull; install it")?;
        wait_until("the start of nginx", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Ok(Self { process, folder: folder.to_owned(), served: served.to_owned(), port })
    }

    /// Fetches all files of a folder, and returns how long it took until they were hashed and durable.
    pub fn fetch(&self, name: &str) -> anyhow::Result<Duration> {
        let destination = self.folder.join("fetched");
        fs::create_dir(&destination)?;
        let started = Instant::now();
        let output = Command::new("bash")
            .args(["-c", if name == "one" { ONE } else { MANY }])
            .current_dir(&destination)
            .env("URL", format!("https://localhost:{}/{name}", self.port))
            .env("CERTIFICATE", self.folder.join("certificate.pem"))
            .env("SERVED", self.served.join(name))
            .output()?;
        let took = started.elapsed();
        ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
        let digests = fs::read_to_string(destination.join("digests"))?.lines().count();
        let files = fs::read_dir(self.served.join(name))?.count();
        ensure!(digests == files, "{digests} of {files} files were hashed");
        fs::remove_dir_all(destination)?;
        Ok(took)
    }
}

impl Drop for Nginx {
    /// Killed, it would leave its workers behind.
    fn drop(&mut self) {
        self.process.stop();
    }
}
