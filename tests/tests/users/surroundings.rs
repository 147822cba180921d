//! A home of the trial's own, its name, and the device of FUSE.

use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use snowglobe::{Fixture, TestResult};
use snowglobe_tests::wait_until;

fn home() -> TestResult<PathBuf> {
    Ok(std::env::var_os("HOME").ok_or("a home")?.into())
}

#[snowglobe::test(home = "private")]
fn a_private_home_is_empty_and_writable() -> TestResult {
    let home = home()?;
    assert_eq!(fs::read_dir(&home)?.count(), 0);
    fs::create_dir_all(home.join(".config/program"))?;
    fs::write(home.join(".config/program/settings"), "x")?;
    for variable in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        assert_eq!(std::env::var_os(variable), None);
    }
    let shell = std::process::Command::new("sh")
        .args(["-c", "echo y > ~/shell && echo $HOME"])
        .output()?;
    assert_eq!(
        String::from_utf8(shell.stdout)?.trim(),
        home.to_str().ok_or("text")?
    );
    assert_eq!(fs::read_to_string(home.join("shell"))?, "y\n");
    Ok(())
}

#[snowglobe::test(home = "private", user = 1234)]
fn an_ordinary_user_has_a_private_home_too() -> TestResult {
    fs::write(home()?.join("mine"), "x")?;
    Ok(())
}

#[snowglobe::test(home = "private", isolation(!mnt))]
fn trials_that_share_their_mounts_have_a_home_each() -> TestResult {
    let home = home()?;
    assert_eq!(fs::read_dir(&home)?.count(), 0);
    fs::write(home.join("mine"), "x")?;
    Ok(())
}

#[snowglobe::test(home = "private")]
fn programs_of_a_node_have_a_private_home_too() -> TestResult {
    let lab = snowglobe::topology::shape::pair().start()?;
    for node in lab.nodes() {
        let mut shell = node.command("sh");
        let shell = shell
            .args(["-ec", "echo $HOME; ls -A ~; echo x > ~/mine"])
            .output()?;
        assert!(shell.status.success(), "{shell:?}");
        assert_eq!(shell.stdout_str().trim(), home()?.to_str().ok_or("text")?);
    }
    Ok(())
}

/// Fixtures are kept in the home directory of the user.
#[snowglobe::test(home = "private", fixtures("perl"))]
fn fixtures_are_found_from_a_private_home() -> TestResult {
    Fixture::find("perl")?;
    Ok(())
}

/// As after `su - nobody` on a host where that user has a home.
#[snowglobe::test(user = "nobody")]
fn another_user_has_a_home_and_a_name() -> TestResult {
    let home = home()?;
    assert_eq!(fs::read_dir(&home)?.count(), 0);
    fs::write(home.join("mine"), "x")?;
    for variable in ["USER", "LOGNAME"] {
        assert_eq!(std::env::var(variable)?, "nobody");
    }
    // What cargo and rustup have is found still, where there is a rustc: nobody needs one who runs
    // this program without cargo.
    match std::process::Command::new("rustc").arg("-V").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        rustc => assert!(
            rustc.as_ref().is_ok_and(|it| it.status.success()),
            "{rustc:?}"
        ),
    }
    Ok(())
}

/// The user database knows no such user.
#[snowglobe::test(user = 54321)]
fn a_user_without_a_name_goes_by_none() -> TestResult {
    fs::write(home()?.join("mine"), "x")?;
    for variable in ["USER", "LOGNAME"] {
        assert_eq!(std::env::var_os(variable), None);
    }
    Ok(())
}

#[snowglobe::test]
fn without_the_option_the_home_is_the_users() -> TestResult {
    assert!(!home()?.starts_with("/run"));
    Ok(())
}

/// `ToSocketAddrs` asks getaddrinfo(3).
#[snowglobe::test]
fn the_trials_own_name_resolves_to_itself() -> TestResult {
    let name = nix::unistd::gethostname()?;
    let name = name.to_str().ok_or("text")?;
    let addresses: Vec<_> = (name, 80)
        .to_socket_addrs()?
        .map(|found| found.ip())
        .collect();
    assert!(!addresses.is_empty());
    assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    let _listener = TcpListener::bind((name, 80))?;
    TcpStream::connect((name, 80))?;
    // The other names of the host are there as before, and /run is empty.
    assert!("localhost:80".to_socket_addrs()?.count() > 0);
    assert_eq!(fs::read_dir("/run")?.count(), 0);
    Ok(())
}

#[snowglobe::test(user = 1234)]
fn an_ordinary_users_own_name_resolves_too() -> TestResult {
    let name = nix::unistd::gethostname()?
        .into_string()
        .map_err(|_| "text")?;
    TcpListener::bind((name, 8080))?;
    Ok(())
}

/// A device that is there can be opened; one that cannot is not there.
#[snowglobe::test]
fn devices_that_are_there_can_be_opened() {
    for device in ["/dev/fuse", "/dev/kvm", "/dev/net/tun"].map(Path::new) {
        let opened = fs::File::options().read(true).write(true).open(device);
        assert_eq!(opened.is_ok(), device.exists(), "{}", device.display());
    }
}

/// Mounts a filesystem of this process, without which the kernel sends no first question.
#[snowglobe::test]
fn a_filesystem_of_the_tests_own_is_mounted() -> TestResult {
    let Ok(device) = fs::File::options().read(true).write(true).open("/dev/fuse") else {
        snowglobe::note("this host has no /dev/fuse for this user");
        return Ok(());
    };
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    fs::create_dir("/tmp/fuse")?;
    let nothing = nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV;
    nix::mount::mount(
        Some("test"),
        "/tmp/fuse",
        Some("fuse"),
        nothing,
        Some(&*options),
    )?;
    let mut question = [0_u8; 8192];
    let length = nix::unistd::read(&device, &mut question)?;
    // FUSE_INIT of linux/fuse.h, in the second word of the header.
    assert_eq!(
        (length > 40, question[4..8].to_vec()),
        (true, vec![26, 0, 0, 0])
    );
    nix::mount::umount2("/tmp/fuse", nix::mount::MntFlags::MNT_DETACH)?;
    drop(device);
    let mounts = || fs::read_to_string("/proc/mounts").unwrap_or_default();
    let gone = || !mounts().contains("/tmp/fuse");
    assert!(wait_until(std::time::Duration::from_secs(20), gone));
    Ok(())
}
