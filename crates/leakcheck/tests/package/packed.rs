//! What is packed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{cargo, here, root, run, target};

/// Packs both crates, lets cargo build each from what it packed, and unpacks them: `leakcheck` and `leakcheck-macros` in the folder
/// that is returned. Once for all tests.
pub(crate) fn unpacked() -> &'static Path {
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    UNPACKED.get_or_init(|| {
        let target = target("package");
        let mut package = cargo();
        // In a clone nothing is dirty. While somebody works here, the work is what is tested.
        package.args(["package", "--allow-dirty", "-p", "leakcheck-macros", "-p", "leakcheck", "--target-dir"]);
        let (success, text) = run(package.arg(&target).current_dir(root()));
        assert!(success, "{text}");
        let unpacked = target.join("unpacked");
        let _ = fs::remove_dir_all(&unpacked);
        for name in ["leakcheck", "leakcheck-macros"] {
            let folder = unpacked.join(name);
            fs::create_dir_all(&folder).unwrap();
            let packed = target.join(format!("package/{name}-{}.crate", env!("CARGO_PKG_VERSION")));
            let mut tar = Command::new("tar");
            tar.arg("-xzf").arg(packed).arg("-C").arg(&folder).args(["--strip-components", "1"]);
            let (success, text) = run(&mut tar);
            assert!(success, "{text}");
        }
        unpacked
    })
}

#[test]
fn a_package_has_what_a_reader_needs_and_nothing_else() {
    for name in ["leakcheck", "leakcheck-macros"] {
        let folder = unpacked().join(name);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        let own = [
            "CHANGELOG.md",
            "Cargo.lock",
            "Cargo.toml",
            "Cargo.toml.orig",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "src",
        ];
        // In a clone cargo adds the commit.
        files.retain(|file| file != ".cargo_vcs_info.json");
        assert_eq!(files, own, "{name}");
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let packed = fs::read_to_string(folder.join(licence)).unwrap();
            assert_eq!(
                packed,
                fs::read_to_string(root().join(licence)).unwrap(),
                "{licence} of {name} is not the one of the root"
            );
        }
    }
}

#[test]
fn a_manifest_tells_what_a_registry_asks_for() {
    for name in ["leakcheck", "leakcheck-macros"] {
        let manifest = fs::read_to_string(unpacked().join(name).join("Cargo.toml")).unwrap();
        for part in [
            "description = ",
            "license = \"MIT OR Apache-2.0\"",
            "readme = \"README.md\"",
            "keywords = ",
            "categories = ",
            "rust-version = ",
        ] {
            assert!(manifest.contains(part), "{name} has no {part}:\n{manifest}");
        }
        assert!(!manifest.contains("publish = "), "{name} cannot be published:\n{manifest}");
        assert!(!manifest.contains("path = \".."), "{name} needs a folder of this repository:\n{manifest}");
    }
    let manifest = fs::read_to_string(unpacked().join("leakcheck/Cargo.toml")).unwrap();
    let own = here().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    assert!(
        manifest.contains(&format!("version = \"={}\"", env!("CARGO_PKG_VERSION"))),
        "{own} takes any macro:\n{manifest}"
    );
    assert!(manifest.contains("[package.metadata.docs.rs]") && manifest.contains("rustdoc-args"), "{manifest}");
}
