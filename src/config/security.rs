//! How the two ends of a connection prove who they are, and a ready table of users.
//!
//! What it is not: the handshake (that is `zmtp`). Invariants: nothing here prints a password, and a password is
//! compared in a time that does not depend on where it differs.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use super::authenticator::{AuthRequest, Authenticator, Credentials, RejectStatus, Verdict};

/// The security mechanism of a socket; both ends must have the same one. The default is [`Security::Null`].
///
/// ```
/// use std::sync::Arc;
/// use taipan::config::{PlainUsers, Security};
///
/// let users = PlainUsers::new().with_user("ada", "engine");
/// let server = Security::PlainServer { authenticator: Arc::new(users) };
/// let client = Security::plain_client("ada", "engine");
/// assert_eq!(server.mechanism(), client.mechanism());
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Security {
    /// No proof at all.
    #[default]
    Null,
    /// Shows a user name and a password, in clear text.
    PlainClient {
        /// The user name, up to 255 bytes.
        username: String,
        /// The password, up to 255 bytes.
        password: String,
    },
    /// Asks for a user name and a password.
    PlainServer {
        /// Who decides.
        authenticator: Arc<dyn Authenticator>,
    },
}

impl Security {
    /// A client of the PLAIN mechanism.
    pub fn plain_client(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::PlainClient {
            username: username.into(),
            password: password.into(),
        }
    }

    /// A server of the PLAIN mechanism.
    pub fn plain_server(authenticator: impl Authenticator + 'static) -> Self {
        Self::PlainServer {
            authenticator: Arc::new(authenticator),
        }
    }

    /// The name of the mechanism in a greeting: `"NULL"` or `"PLAIN"`.
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient { .. } | Self::PlainServer { .. } => "PLAIN",
        }
    }

    /// Whether this is the side that asks.
    pub const fn is_server(&self) -> bool {
        matches!(self, Self::PlainServer { .. })
    }
}

impl fmt::Debug for Security {
    /// Shows the user name, never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::PlainClient { username, .. } => f
                .debug_struct("PlainClient")
                .field("username", username)
                .finish_non_exhaustive(),
            Self::PlainServer { .. } => f.debug_struct("PlainServer").finish_non_exhaustive(),
        }
    }
}

/// A ready [`Authenticator`]: a table of user names and passwords.
///
/// A peer that shows a known pair is accepted under its user name, any other is rejected with 400. Peers of the NULL
/// mechanism are rejected.
#[derive(Clone, Default)]
pub struct PlainUsers {
    passwords: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl PlainUsers {
    /// A table without users: everybody is rejected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or gives a known one another password.
    #[must_use]
    pub fn with_user(mut self, username: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        self.passwords.insert(
            username.as_ref().as_bytes().into(),
            password.as_ref().as_bytes().into(),
        );
        self
    }

    /// Whether this is a known pair. An unknown user costs the same comparison as a known one.
    fn knows(&self, username: &[u8], password: &[u8]) -> bool {
        let expected = self.passwords.get(username);
        let same = equal_in_constant_time(password, expected.map_or(&[], |expected| expected));
        same & expected.is_some()
    }
}

impl<U: AsRef<str>, P: AsRef<str>> FromIterator<(U, P)> for PlainUsers {
    fn from_iter<I: IntoIterator<Item = (U, P)>>(users: I) -> Self {
        users
            .into_iter()
            .fold(Self::new(), |table, (username, password)| {
                table.with_user(username, password)
            })
    }
}

impl Authenticator for PlainUsers {
    fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let reject = |text: &str| Verdict::Reject {
            status: RejectStatus::Refused,
            text: text.to_owned(),
        };
        match request.credentials {
            Credentials::Plain { username, password } if self.knows(username, password) => {
                Verdict::Accept {
                    user_id: String::from_utf8_lossy(username).into_owned(),
                }
            }
            Credentials::Plain { .. } => reject("unknown user name or wrong password"),
            Credentials::Null => reject("a user name and a password are needed"),
        }
    }
}

impl fmt::Debug for PlainUsers {
    /// Shows how many users there are, never their passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainUsers({} users)", self.passwords.len())
    }
}

/// Whether two byte strings are equal, in a time that depends on the length of the first one alone: not on where
/// they differ, and not on the length of the secret.
fn equal_in_constant_time(shown: &[u8], secret: &[u8]) -> bool {
    let mut difference = shown.len() ^ secret.len();
    for (at, byte) in shown.iter().enumerate() {
        let expected = secret.get(at).copied().unwrap_or(0);
        difference = black_box(difference | usize::from(byte ^ expected));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(users: &PlainUsers, username: &[u8], password: &[u8]) -> Verdict {
        users.authenticate(&AuthRequest::new(Credentials::Plain { username, password }))
    }

    fn is_refused(verdict: &Verdict) -> bool {
        matches!(
            verdict,
            Verdict::Reject {
                status: RejectStatus::Refused,
                ..
            }
        )
    }

    #[test]
    fn only_known_pairs_are_accepted() {
        let users = PlainUsers::from_iter([("ada", "engine"), ("bob", "")]);
        let ada = Verdict::Accept {
            user_id: "ada".to_owned(),
        };
        assert_eq!(ask(&users, b"ada", b"engine"), ada);
        let bob = Verdict::Accept {
            user_id: "bob".to_owned(),
        };
        assert_eq!(ask(&users, b"bob", b""), bob);
        let wrong: [(&[u8], &[u8]); 8] = [
            (b"ada", b""),
            (b"ada", b"engin"),
            (b"ada", b"engine\0"),
            (b"ada", b"Engine"),
            (b"Ada", b"engine"),
            (b"", b""),
            (b"eve", b""),
            (b"bob", b"\0"),
        ];
        for (username, password) in wrong {
            assert!(
                is_refused(&ask(&users, username, password)),
                "{username:?} {password:?}"
            );
        }
        assert!(is_refused(
            &users.authenticate(&AuthRequest::new(Credentials::Null))
        ));
        assert!(is_refused(&ask(&PlainUsers::new(), b"ada", b"engine")));
    }

    #[test]
    fn a_user_added_twice_has_the_later_password() {
        let users = PlainUsers::new()
            .with_user("ada", "old")
            .with_user("ada", "new");
        assert!(is_refused(&ask(&users, b"ada", b"old")));
        assert!(matches!(
            ask(&users, b"ada", b"new"),
            Verdict::Accept { .. }
        ));
    }

    #[test]
    fn no_password_is_ever_printed() {
        let client = Security::plain_client("ada", "secret");
        let server = Security::plain_server(PlainUsers::new().with_user("ada", "secret"));
        let users = PlainUsers::new().with_user("ada", "secret");
        let shown = Credentials::Plain {
            username: b"ada",
            password: b"secret",
        };
        let request = AuthRequest::new(shown);
        let text = format!("{client:?} {server:?} {users:?} {shown:?} {request:?}");
        assert!(text.contains("ada") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn mechanisms_have_the_names_of_the_wire() {
        assert_eq!(Security::default().mechanism(), "NULL");
        let client = Security::plain_client("ada", "engine");
        let server = Security::plain_server(PlainUsers::new());
        assert_eq!((client.mechanism(), client.is_server()), ("PLAIN", false));
        assert_eq!((server.mechanism(), server.is_server()), ("PLAIN", true));
        assert_eq!(
            (RejectStatus::Refused.code(), RejectStatus::Refused.digits()),
            (400, "400")
        );
        assert_eq!(
            (
                RejectStatus::Internal.code(),
                RejectStatus::Internal.digits()
            ),
            (500, "500")
        );
    }
}
