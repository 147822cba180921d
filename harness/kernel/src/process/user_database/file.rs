//! The users of `/etc/passwd`.

use super::KnownUser;

/// Returns the user of this name, if there is one.
#[cfg(target_feature = "crt-static")]
pub(in crate::process) fn with_name(name: &str) -> Option<KnownUser> {
    users(&text()).find(|user| user.name == name)
}

/// Returns the user with this id, if there is one.
#[cfg(target_feature = "crt-static")]
pub(in crate::process) fn with_id(uid: u32) -> Option<KnownUser> {
    users(&text()).find(|user| user.uid == uid)
}

#[cfg(target_feature = "crt-static")]
fn text() -> String {
    // A name or a comment in another encoding than UTF-8 must not hide the other users.
    let bytes = std::fs::read("/etc/passwd").unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the users in a text of the format of passwd(5).
fn users(text: &str) -> impl Iterator<Item = KnownUser> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(KnownUser {
            name: name.to_owned(),
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_users_are_left_out() {
        let text = "root:x:0:0:root:/root:/bin/bash\n\n# all\n+::::::\nbob:x:1000:100::/home/bob:";
        let found: Vec<_> = users(text)
            .map(|user| (user.name, user.uid, user.gid))
            .collect();
        let expected = [("root", 0, 0), ("bob", 1000, 100)];
        let expected = expected.map(|(name, uid, gid)| (name.to_owned(), uid, gid));
        assert_eq!(found, expected);
    }
}
