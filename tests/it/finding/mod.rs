//! Datasets are found: by MongoDB's queries and by free text.

mod goldens;
mod mongo;
pub mod reference;
mod regex;
mod sample;
mod stores;
mod text;
