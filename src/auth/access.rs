//! Who is on a connection that stays open: known when it begins, and asked again when that may have changed.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::viewer::{AuthError, Authenticator, Credential, Viewer};

/// How long a credential may take to be checked again.
const LIMIT: Duration = Duration::from_secs(5);

/// Who is on a connection. Clones share everything.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    /// None: whoever was let in stays.
    check: Option<(Arc<dyn Authenticator>, Credential)>,
    seen: RwLock<Seen>,
    asking: Mutex<()>,
    /// Made when somebody waits for it: most requests have ended before.
    rejected: OnceLock<CancellationToken>,
}

struct Seen {
    viewer: Arc<Viewer>,
    /// The version of the accounts of which this was true.
    version: i64,
}

impl Seen {
    async fn now(
        authenticator: &dyn Authenticator,
        credential: Option<Credential>,
    ) -> Result<Self, AuthError> {
        // Before it is asked: what changes meanwhile has to be asked again.
        let version = authenticator.version();
        let answer = timeout(LIMIT, authenticator.authenticate(credential)).await;
        let viewer = answer.unwrap_or(Err(AuthError::Unavailable))?;
        Ok(Self { viewer, version })
    }
}

impl Access {
    /// For somebody who is known and will not be asked again.
    pub fn fixed(viewer: Arc<Viewer>) -> Self {
        Self::new(Seen { viewer, version: 0 }, None)
    }

    /// Finds out who shows a credential, and remembers how.
    pub async fn open(
        authenticator: Arc<dyn Authenticator>,
        credential: Option<Credential>,
    ) -> Result<Self, AuthError> {
        let seen = Seen::now(&*authenticator, credential.clone()).await?;
        let check = credential.map(|shown| (authenticator, shown));
        Ok(Self::new(seen, check))
    }

    fn new(seen: Seen, check: Option<(Arc<dyn Authenticator>, Credential)>) -> Self {
        Self(Arc::new(Inner {
            check,
            seen: RwLock::new(seen),
            asking: Mutex::default(),
            rejected: OnceLock::new(),
        }))
    }

    fn rejection(&self) -> &CancellationToken {
        self.0.rejected.get_or_init(CancellationToken::new)
    }

    /// Who it was when last asked.
    pub fn known(&self) -> Arc<Viewer> {
        let seen = self.0.seen.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&seen.viewer)
    }

    /// Who it is: asked again if accounts have changed since it was last asked.
    pub async fn viewer(&self) -> Result<Arc<Viewer>, AuthError> {
        if self
            .0
            .rejected
            .get()
            .is_some_and(CancellationToken::is_cancelled)
        {
            return Err(AuthError::Rejected);
        }
        if let Some(viewer) = self.up_to_date() {
            return Ok(viewer);
        }
        // Many subscriptions of a socket may ask at once: one of them does it.
        let _turn = self.0.asking.lock().await;
        match self.up_to_date() {
            Some(viewer) => Ok(viewer),
            None => self.ask().await,
        }
    }

    /// Asks again, whatever is known.
    pub async fn renew(&self) -> Result<Arc<Viewer>, AuthError> {
        let _turn = self.0.asking.lock().await;
        self.ask().await
    }

    fn up_to_date(&self) -> Option<Arc<Viewer>> {
        let seen = self.0.seen.read().unwrap_or_else(PoisonError::into_inner);
        let current = match &self.0.check {
            None => true,
            Some((authenticator, _)) => seen.version >= authenticator.version(),
        };
        current.then(|| Arc::clone(&seen.viewer))
    }

    async fn ask(&self) -> Result<Arc<Viewer>, AuthError> {
        let Some((authenticator, credential)) = &self.0.check else {
            return Ok(self.known());
        };
        match Seen::now(&**authenticator, Some(credential.clone())).await {
            Ok(seen) => {
                let viewer = Arc::clone(&seen.viewer);
                *self.0.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
                Ok(viewer)
            }
            Err(AuthError::Rejected) => {
                self.rejection().cancel();
                Err(AuthError::Rejected)
            }
            Err(AuthError::Unavailable) => Err(AuthError::Unavailable),
        }
    }

    /// Ends when the credential was found to be good no more.
    pub async fn rejected(&self) {
        self.rejection().cancelled().await;
    }
}

impl From<Arc<Viewer>> for Access {
    fn from(viewer: Arc<Viewer>) -> Self {
        Self::fixed(viewer)
    }
}
