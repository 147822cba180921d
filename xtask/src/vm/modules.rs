//! A module loads only after the modules that it needs, so they are sorted here.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules without which there are no files and no output.
const BOOT: &[&str] = &[
    "virtio_pci",
    "virtio_console",
    "9p",
    "9pnet_virtio",
    "overlay",
];

/// Modules for which tests may ask; nothing is loaded later. A module that the kernel does not have
/// as a file is left out.
const WANTED: &[&str] = &[
    // nf_tables asks for this checksum when it starts, but its module does not declare that.
    "crc32c_generic",
    // Interfaces.
    "8021q",
    "bridge",
    "dummy",
    "ifb",
    "ipvlan",
    "macvlan",
    "tun",
    "veth",
    "vxlan",
    "wireguard",
    // Queueing disciplines.
    "act_mirred",
    "cls_matchall",
    "sch_htb",
    "sch_ingress",
    "sch_netem",
    "sch_tbf",
    // nftables.
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
    "nft_limit",
    "nft_log",
    "nft_masq",
    "nft_nat",
    "nft_numgen",
    "nft_reject_inet",
    // Lists of sockets.
    "af_packet_diag",
    "inet_diag",
    "netlink_diag",
    "raw_diag",
    "tcp_diag",
    "udp_diag",
    "unix_diag",
    // Modules for further tests.
    "fuse",
    "tcp_bbr",
];

/// A module: its name, and its bytes.
pub(super) type Module = (String, Vec<u8>);

/// Reads the modules below a kernel's directory, in the order in which they load.
pub(super) fn read(directory: &Path) -> Result<Vec<Module>, String> {
    let mut files = HashMap::new();
    find(&directory.join("kernel"), &mut files).map_err(|error| {
        format!(
            "cannot read the modules in `{}`: {error}",
            directory.display()
        )
    })?;
    let mut order = LoadOrder {
        files,
        seen: HashSet::new(),
        modules: Vec::new(),
    };
    for name in BOOT {
        order.add(name, true)?;
    }
    for name in WANTED {
        order.add(name, false)?;
    }
    Ok(order.modules)
}

/// Finds all modules below a directory, by name.
fn find(directory: &Path, files: &mut HashMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), files)?;
        } else if let Some((stem, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            files.insert(stem.replace('-', "_"), entry.path());
        }
    }
    Ok(())
}

struct LoadOrder {
    files: HashMap<String, PathBuf>,
    seen: HashSet<String>,
    modules: Vec<Module>,
}

impl LoadOrder {
    fn add(&mut self, name: &str, needed: bool) -> Result<(), String> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.files.get(name) else {
            return if needed {
                Err(format!(
                    "the kernel of the fixture `linux` has no module `{name}`"
                ))
            } else {
                Ok(())
            };
        };
        if path.extension().is_none_or(|extension| extension != "ko") {
            return Err(format!(
                "`{}` is compressed, which is not supported",
                path.display()
            ));
        }
        let bytes =
            fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        for needed in dependencies(&bytes) {
            self.add(&needed, true)?;
        }
        self.modules.push((name.to_owned(), bytes));
        Ok(())
    }
}

/// Returns the modules that a module needs, from the text `depends=a,b` in its description.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = &module[start + KEY.len()..];
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(0);
    let names = String::from_utf8_lossy(&value[..end]).replace('-', "_");
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_comes_after_what_it_needs_and_only_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let kernel = directory.path().join("kernel/net");
        fs::create_dir_all(&kernel).expect("a directory");
        let write = |name: &str, depends: &str| {
            let text = format!("ELF\0license=GPL\0depends={depends}\0name=x\0");
            fs::write(kernel.join(format!("{name}.ko")), text).expect("a file");
        };
        for name in BOOT {
            write(name, "virtio-ring");
        }
        write("virtio-ring", "virtio");
        write("virtio", "");
        write("veth", "");
        let names: Vec<String> = read(directory.path())
            .expect("modules")
            .into_iter()
            .map(|m| m.0)
            .collect();
        assert_eq!(names[..3], ["virtio", "virtio_ring", "virtio_pci"]);
        assert_eq!(names.len(), 2 + BOOT.len() + 1, "{names:?}");
        fs::remove_file(kernel.join("virtio.ko")).expect("a file");
        let error = read(directory.path()).expect_err("one is missing");
        assert!(error.contains("no module `virtio`"), "{error}");
    }
}
