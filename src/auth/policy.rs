//! What may be done by whom: pure functions over a viewer.

use serde::{Deserialize, Serialize};

use super::viewer::{Viewer, ViewerUser};

/// What needs a token, with the meaning that Autosubmit API documents for its `PROTECTION_LEVEL`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProtectionLevel {
    /// Every read and every write.
    #[default]
    All,
    /// Every write.
    WriteOnly,
    /// Nothing but what belongs to one user or to the administrators.
    None,
}

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It needs somebody who has said who they are.
    #[error("this needs a valid token or API key")]
    Unauthenticated,
    /// It needs somebody else.
    #[error("this needs an administrator")]
    Forbidden,
}

impl ProtectionLevel {
    /// May this viewer read?
    pub fn check_read(self, viewer: &Viewer) -> Result<(), Refusal> {
        match self {
            Self::All => signed_in(viewer).map(|_| ()),
            Self::WriteOnly | Self::None => Ok(()),
        }
    }

    /// May this viewer change what belongs to the laboratory?
    pub fn check_write(self, viewer: &Viewer) -> Result<(), Refusal> {
        match self {
            Self::All | Self::WriteOnly => signed_in(viewer).map(|_| ()),
            Self::None => Ok(()),
        }
    }
}

/// The user behind the viewer. What belongs to one user needs that user, whatever the protection level.
pub fn signed_in(viewer: &Viewer) -> Result<&ViewerUser, Refusal> {
    viewer.user.as_ref().ok_or(Refusal::Unauthenticated)
}

/// The administrator behind the viewer. Accounts are never open, whatever the protection level.
pub fn administrator(viewer: &Viewer) -> Result<&ViewerUser, Refusal> {
    let user = signed_in(viewer)?;
    if user.is_admin {
        Ok(user)
    } else {
        Err(Refusal::Forbidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(is_admin: bool) -> Viewer {
        Viewer {
            user: Some(ViewerUser {
                id: Some(1),
                username: "ada".into(),
                is_admin,
            }),
            expires_at: None,
        }
    }

    #[test]
    fn levels_keep_what_they_promise() {
        use ProtectionLevel::{All, None, WriteOnly};
        let nobody = Viewer::anonymous();
        let denied = Err(Refusal::Unauthenticated);
        for (level, read, write) in [
            (All, denied, denied),
            (WriteOnly, Ok(()), denied),
            (None, Ok(()), Ok(())),
        ] {
            assert_eq!(level.check_read(&nobody), read, "{level:?}");
            assert_eq!(level.check_write(&nobody), write, "{level:?}");
            assert_eq!(level.check_read(&viewer(false)), Ok(()));
            assert_eq!(level.check_write(&viewer(false)), Ok(()));
        }
        assert_eq!(administrator(&nobody), Err(Refusal::Unauthenticated));
        assert_eq!(administrator(&viewer(false)), Err(Refusal::Forbidden));
        assert!(administrator(&viewer(true)).is_ok());
    }
}
