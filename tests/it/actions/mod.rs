//! How `autosubmit` is called: what arrives, what is refused, and what the real one does.

mod arguments;
mod far;
mod far_ends;
mod judged;
mod probe;
mod profiles;
mod real;
mod sshd;
