//! Who may tell of changes.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// The shortest secret, in bytes.
const SHORTEST: usize = 16;

/// Whether, and from whom, notifications of storage are taken.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// What the storage shows, as a bearer token or as the password of basic authentication; at least 16 bytes. None: no
    /// notifications are taken.
    pub secret: Option<Secret>,
    /// The networks from which notifications are taken, such as `192.0.2.0/24`; the address is that of the connection.
    pub allow_from: Vec<String>,
    /// So many datasets may wait to be read; when there are more, senders are told to come again.
    pub max_waiting: u64,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            secret: None,
            allow_from: vec!["127.0.0.0/8".into(), "::1/128".into()],
            max_waiting: 10_000,
        }
    }
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A secret that could be guessed.
    #[error("datasets.webhook.secret: it must have at least {SHORTEST} bytes")]
    Secret,
    /// Neither an address nor a network.
    #[error(
        "datasets.webhook.allow_from: {0:?} is no network: write an address and the length of its prefix, as in 192.0.2.0/24"
    )]
    Network(String),
}

/// Who may tell of changes. It does not show its secret.
#[derive(Clone)]
pub struct Webhook {
    secret: [u8; 32],
    allow_from: Vec<IpNet>,
    /// So many datasets may wait to be read.
    pub max_waiting: u64,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("allow_from", &self.allow_from)
            .field("max_waiting", &self.max_waiting)
            .finish_non_exhaustive()
    }
}

impl WebhookSettings {
    /// What the settings say; none if no notifications are taken.
    ///
    /// # Errors
    /// [`WebhookError`]: they cannot be used.
    pub fn settle(&self) -> Result<Option<Webhook>, WebhookError> {
        let network = |text: &String| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            let network = text.parse::<IpNet>().or(address);
            network.map_err(|_| WebhookError::Network(text.clone()))
        };
        let allow_from = self
            .allow_from
            .iter()
            .map(network)
            .collect::<Result<_, _>>()?;
        let Some(secret) = &self.secret else {
            return Ok(None);
        };
        if secret.expose().len() < SHORTEST {
            return Err(WebhookError::Secret);
        }
        Ok(Some(Webhook {
            secret: Sha256::digest(secret.expose()).into(),
            allow_from,
            max_waiting: self.max_waiting,
        }))
    }
}

impl Webhook {
    /// Whether notifications are taken from this address. One of IPv4 is the same in the form of IPv6.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow_from
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Whether this is the secret; it takes the same time for all that have the same length.
    pub fn is_secret(&self, shown: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        self.secret.ct_eq(&shown).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(secret: &str, networks: &[&str]) -> WebhookSettings {
        WebhookSettings {
            secret: Some(secret.to_owned().into()),
            allow_from: networks.iter().map(|&network| network.into()).collect(),
            ..WebhookSettings::default()
        }
    }

    #[test]
    fn addresses_are_in_networks() {
        let networks = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"];
        let webhook = settings("0123456789abcdef", &networks).settle();
        let webhook = webhook.unwrap().unwrap();
        for (address, allowed) in [
            ("192.0.2.200", true),
            ("::ffff:192.0.2.200", true),
            ("192.0.3.1", false),
            ("2001:db8:1::1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(
                webhook.allows(address.parse().unwrap()),
                allowed,
                "{address}"
            );
        }
        assert!(webhook.is_secret(b"0123456789abcdef"));
        assert!(!webhook.is_secret(b"0123456789abcdeg"));
        assert!(!webhook.is_secret(b""));
        assert!(!format!("{webhook:?}").contains("secret"));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        assert!(WebhookSettings::default().settle().unwrap().is_none());
        let short = settings("short", &[]).settle();
        assert_eq!(short.unwrap_err(), WebhookError::Secret);
        let odd = settings("0123456789abcdef", &["192.0.2.0/33"]).settle();
        let told = odd.unwrap_err().to_string();
        assert!(told.contains("192.0.2.0/33"), "{told}");
    }
}
