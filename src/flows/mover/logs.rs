//! What a step prints, as it comes: read from its executor, stored in pieces. The attempt says up to where each stream is known,
//! in the transaction of the pieces: so nothing is told twice, and nothing is left out.

use sea_orm::{
    ActiveValue::NotSet, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter,
};

use crate::engine::{Executor, ExecutorError, Stream, Ticket, text, whole};
use crate::entity::{flow_attempt, flow_log};
use crate::failure::Failure;
use crate::flows::read::logs::stream_name;

/// How long a piece is at most, in bytes.
const PIECE: usize = 64 << 10;
/// How much is stored in a transaction, in bytes, but for the last piece.
const MOST_AT_ONCE: usize = 1 << 20;

/// What a step printed since it was last read.
#[derive(Debug, Default)]
pub(super) struct Printed {
    pieces: Vec<(Stream, i64, Vec<u8>)>,
    /// Up to where the streams are known with these.
    output_bytes: i64,
    errors_bytes: i64,
    /// Whether there may be more already.
    pub has_more: bool,
}

impl Printed {
    /// Reads on from where the attempt is known. `is_last`: the step has ended.
    pub async fn read(
        executor: &dyn Executor,
        ticket: &Ticket,
        attempt: &flow_attempt::Model,
        is_last: bool,
    ) -> Result<Self, ExecutorError> {
        let mut printed = Self::nothing(attempt);
        let mut left = MOST_AT_ONCE;
        for stream in [Stream::Output, Stream::Errors] {
            loop {
                if left == 0 {
                    printed.has_more = true;
                    return Ok(printed);
                }
                let at = printed.position(stream);
                let from = u64::try_from(*at).unwrap_or(0);
                let mut bytes = executor.logs(ticket, stream, from, PIECE).await?;
                let is_full = bytes.len() >= PIECE;
                bytes.truncate(whole(&bytes, PIECE, is_last));
                if bytes.is_empty() {
                    break;
                }
                left = left.saturating_sub(bytes.len());
                let start = *at;
                *at = start.saturating_add(length(&bytes));
                printed.pieces.push((stream, start, bytes));
                if !is_full {
                    break;
                }
            }
        }
        Ok(printed)
    }

    /// Nothing more than is known.
    pub fn nothing(attempt: &flow_attempt::Model) -> Self {
        Self {
            output_bytes: attempt.output_bytes,
            errors_bytes: attempt.errors_bytes,
            ..Self::default()
        }
    }

    fn position(&mut self, stream: Stream) -> &mut i64 {
        match stream {
            Stream::Output => &mut self.output_bytes,
            Stream::Errors => &mut self.errors_bytes,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Stores the pieces; the attempt says then up to where the streams are known. Whoever asks has locked the run.
    ///
    /// # Errors
    /// Those of the database; and an internal one if the streams are not known up to where they were: then somebody else has
    /// stored more.
    pub async fn store(
        &self,
        transaction: &DatabaseTransaction,
        attempt: &mut flow_attempt::Model,
        now: i64,
    ) -> Result<(), Failure> {
        use flow_attempt::Column::{ErrorsBytes, Number, OutputBytes, Position, RunId};
        if self.is_empty() {
            return Ok(());
        }
        let done = flow_attempt::Entity::update_many()
            .col_expr(OutputBytes, self.output_bytes.into())
            .col_expr(ErrorsBytes, self.errors_bytes.into())
            .filter(RunId.eq(attempt.run_id))
            .filter(Position.eq(attempt.position))
            .filter(Number.eq(attempt.number))
            .filter(OutputBytes.eq(attempt.output_bytes))
            .filter(ErrorsBytes.eq(attempt.errors_bytes))
            .exec(transaction)
            .await?;
        if done.rows_affected != 1 {
            let ticket = &attempt.ticket;
            let message = format!("the log of {ticket} is not known up to where it was");
            return Err(Failure::internal(message));
        }
        let rows = self.pieces.iter().map(|(stream, start, bytes)| {
            let row = flow_log::Model {
                id: 0,
                run_id: attempt.run_id,
                position: attempt.position,
                attempt: attempt.number,
                stream: stream_name(*stream).to_owned(),
                start_byte: *start,
                bytes: length(bytes),
                recorded_at: now,
                text: text(bytes),
            };
            let mut row = row.into_active_model();
            row.id = NotSet;
            row
        });
        flow_log::Entity::insert_many(rows)
            .exec_without_returning(transaction)
            .await?;
        attempt.output_bytes = self.output_bytes;
        attempt.errors_bytes = self.errors_bytes;
        Ok(())
    }
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}
