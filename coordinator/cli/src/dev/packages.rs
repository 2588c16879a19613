//! The package files of the sample, made as any build would make them: zip and tar.gz.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file of a package: path, text, whether it may be executed.
type Content = (&'static str, String, bool);

/// The text in a customer's own package that must be on no other customer's machine.
pub(super) fn brand_of(customer: &str) -> String {
    format!("canary-brand-of-{customer}")
}

/// Writes all packages below `folder` and returns their paths.
pub(super) fn write_all(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let hook = "echo \"Synergy for $(get_windlassvariable TenantAlias), log level $(get_windlassvariable LogLevel)\"\n";
    let site = "{\"tenant\": \"#{TenantAlias}\", \"database\": \"#{SynergyDatabase}\", \"key\": \"#{SynergyApiKey}\"}\n";
    let synergy = folder.join("synergy-web.1.4.0.tar.gz");
    write_tar(
        &synergy,
        &[
            ("config/site.json", site.to_owned(), false),
            ("index.html", "<h1>Synergy 1.4.0</h1>\n".to_owned(), false),
            ("PostDeploy.sh", hook.to_owned(), true),
        ],
    )?;
    let mojo = folder.join("mojo.2.1.0.zip");
    write_zip(&mojo, &[("mojo.conf", "database = #{MojoDatabase}\n".to_owned(), false)])?;
    let mut paths = vec![synergy, mojo];
    for number in 1..=3 {
        let path = folder.join(format!("branding-customer-{number}.1.0.0.zip"));
        write_zip(&path, &[("brand.txt", brand_of(&format!("Customer-{number}")), false)])?;
        paths.push(path);
    }
    Ok(paths)
}

fn write_zip(path: &Path, contents: &[Content]) -> anyhow::Result<()> {
    let mut archive = zip::ZipWriter::new(File::create(path)?);
    for (name, text, executable) in contents {
        let mode = if *executable { 0o755 } else { 0o644 };
        archive.start_file(*name, zip::write::SimpleFileOptions::default().unix_permissions(mode))?;
        archive.write_all(text.as_bytes())?;
    }
    archive.finish().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn write_tar(path: &Path, contents: &[Content]) -> anyhow::Result<()> {
    let compressed = flate2::write::GzEncoder::new(File::create(path)?, flate2::Compression::default());
    let mut archive = tar::Builder::new(compressed);
    for (name, text, executable) in contents {
        let mut header = tar::Header::new_gnu();
        header.set_mode(if *executable { 0o755 } else { 0o644 });
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()?.finish().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
