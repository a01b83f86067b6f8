//! What storage tells of changes, so that they are in the register without anybody asking for an index.
//!
//! An event is not believed, and says little: that something became of an object. It is enough to know which dataset the
//! object belongs to. This is noted in the database ([`Inbox`]), and the dataset is read anew soon afterwards
//! ([`NotificationWork`]), so it does not matter whether events come twice, late, or in another order. However many there are
//! of one dataset until then, it is read once.

mod inbox;
mod message;
mod settings;
mod work;

pub use inbox::{Inbox, Noted};
pub use message::{Message, Record, read};
pub use settings::{Webhook, WebhookError, WebhookSettings};
pub use work::NotificationWork;
