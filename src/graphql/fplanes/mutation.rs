//! Commands on focal planes.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::correction::CorrectFplaneInput;
use super::outcome::{Told, told};
use super::problem::FplaneProblem;
use super::tag::{self, FplaneTag};
use crate::failure::Failure;
use crate::fplanes::read::{AsOf, moments};
use crate::fplanes::readers::FilePositions;
use crate::fplanes::write::import::{self, FileImport, MappingImport, PositionsImport};
use crate::fplanes::write::tags::{self, NewTag};
use crate::fplanes::write::{Author, Imported, Outcome, correct, update};
use crate::graphql::context::ContextExt;
use crate::graphql::error::internal;
use crate::graphql::json_text::JsonText;
use crate::graphql::rows::Rows;
use crate::graphql::user_error::{UserError, payload};

/// Of which kind the positions in a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "FilePositions")]
enum FplaneFilePositions {
    /// Those that are where the grid has them are by design, all others were measured.
    Auto,
    /// All are by design.
    Nominal,
    /// All were measured.
    Measured,
}

/// What becomes of slots that a file does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum FplaneUnlisted {
    /// They stay as they are.
    Keep,
    /// They leave the plane: the file is all of it.
    End,
}

/// A status message of the telescope.
#[derive(InputObject)]
struct UpdateFplaneInput {
    /// What the telescope's `get_hardware_status` returns: an object with `__data_time` (UT: text or seconds since
    /// 1970-01-01), a list `hardware` of objects with `ifuslot`, `ifuid`, `specid`, `specslot`, `cntlid`, `muxid`, `active`,
    /// `x_fp`, `y_fp` (arcsec), `ifurot` (degrees) and `platesc`, and a list `special` of objects with `ifuslot`, `id`, `name`,
    /// `x_fp` and `y_fp`. Other keys are no matter. Positions that are null or missing stay.
    config: JsonText,
    /// Keep it; false: only tell what would change.
    #[graphql(default = true)]
    commit: bool,
}

/// A file of a focal plane.
#[derive(InputObject)]
struct ImportFplaneInput {
    /// The text of the file, of any form that was ever used.
    text: String,
    /// Since when it holds, in any form that `Query.fplane` takes.
    valid_from: String,
    /// What it is called.
    name: Option<String>,
    /// Of which kind its positions are.
    #[graphql(default_with = "FplaneFilePositions::Auto")]
    positions: FplaneFilePositions,
    /// What becomes of slots that it does not list.
    #[graphql(default_with = "FplaneUnlisted::End")]
    unlisted: FplaneUnlisted,
    /// Keep it; false: only tell what would change.
    #[graphql(default = true)]
    commit: bool,
}

/// A list of what was in which slot on which night.
#[derive(InputObject)]
struct ImportFplaneMappingInput {
    /// The text: comma-separated values with a header that names `date` (of the start of the night), `specid`, `ifuslot` and
    /// `ifuid`. What it does not list stays as it is.
    text: String,
    /// What it is called.
    name: Option<String>,
    /// Keep it; false: only tell what would change.
    #[graphql(default = true)]
    commit: bool,
}

/// A list of measured positions.
#[derive(InputObject)]
struct ImportFplanePositionsInput {
    /// The text: a slot, x and y (both in arcsec) in each line. What it does not list stays as it is.
    text: String,
    /// Since when they hold, in any form that `Query.fplane` takes.
    valid_from: String,
    /// What it is called.
    name: Option<String>,
    /// Keep it; false: only tell what would change.
    #[graphql(default = true)]
    commit: bool,
}

told! {
    UpdateFplanePayload "The answer to `updateFplane`." {} from;
    ImportFplanePayload "The answer to `importFplane`." {
        /// What is wrong or odd with the file, by lines: lines that cannot be read are left out.
        problems: Rows<FplaneProblem>,
    } from problems;
    ImportFplaneMappingPayload "The answer to `importFplaneMapping`." {
        /// What is wrong or odd with the list, by lines: lines that cannot be read are left out.
        problems: Rows<FplaneProblem>,
    } from problems;
    ImportFplanePositionsPayload "The answer to `importFplanePositions`." {
        /// What is wrong or odd with the list, by lines: lines that cannot be read are left out.
        problems: Rows<FplaneProblem>,
    } from problems;
    CorrectFplanePayload "The answer to `correctFplane`." {} from;
}

/// A name for the focal plane at an instant.
#[derive(InputObject)]
struct TagFplaneInput {
    /// The name: at most 100 letters, digits and `. _ - + /`.
    name: String,
    /// What it stands for, in any form that `Query.fplane` takes; the present when absent.
    at: Option<String>,
    /// By what was known then. When absent: for an alias by all that is known whenever it is asked for, for a frozen tag by
    /// what is known now.
    known_at: Option<DateTime<Utc>>,
    /// Shall it stand for the same for good? Otherwise it is an alias, which moves when its name is given again.
    #[graphql(default)]
    frozen: bool,
    /// What it is for.
    description: Option<String>,
}

/// The answer to `tagFplane`.
#[derive(SimpleObject)]
struct TagFplanePayload {
    /// What the name stands for now.
    tag: Option<FplaneTag>,
    /// Why it does not.
    errors: Vec<UserError>,
}

/// An alias to be deleted.
#[derive(InputObject)]
struct DeleteFplaneTagInput {
    /// The name.
    name: String,
}

/// The answer to `deleteFplaneTag`.
#[derive(SimpleObject)]
struct DeleteFplaneTagPayload {
    /// The name, which stands for nothing now; null: it was not deleted.
    name: Option<String>,
    /// Was there such a tag? Null: it was not deleted.
    deleted: Option<bool>,
    /// Why not.
    errors: Vec<UserError>,
}

/// Commands on focal planes.
#[derive(Default)]
pub struct FplanesMutation;

#[Object]
impl FplanesMutation {
    /// Takes in a status message of the telescope: since its time the plane is as it says, until something else is told. One
    /// that is older than `fplanes.refuse_older_than` (6 hours) is refused. The same message twice is one. For all users.
    async fn update_fplane(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: UpdateFplaneInput,
    ) -> Result<UpdateFplanePayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let config = input.config.value().map_err(internal)?;
        let (database, settings) = (&services.database, &services.fplanes);
        let now = Utc::now();
        let commit = input.commit;
        let done = update::update(database, settings, &author, &config, commit, now, None).await;
        Ok(outcome(ctx, done).await?.into())
    }

    /// Imports a file of a focal plane. The same file twice is one. For all users.
    async fn import_fplane(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: ImportFplaneInput,
    ) -> Result<ImportFplanePayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let done = async {
            let file = FileImport {
                text: &input.text,
                name: input.name.as_deref(),
                valid_from: instant(ctx, "validFrom", &input.valid_from).await?.at,
                positions: input.positions.into(),
                unlisted_ends: input.unlisted == FplaneUnlisted::End,
            };
            import::file(&services.database, &author, &file, input.commit, Utc::now()).await
        };
        Ok(imported(ctx, done.await).await?.into())
    }

    /// Imports a list of what was in which slot on which night. What was told of a night before is not told again. For all
    /// users.
    async fn import_fplane_mapping(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The list.")] input: ImportFplaneMappingInput,
    ) -> Result<ImportFplaneMappingPayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let list = MappingImport {
            text: &input.text,
            name: input.name.as_deref(),
            zone: services.fplanes.night_zone,
        };
        let now = Utc::now();
        let done = import::mapping(&services.database, &author, &list, input.commit, now).await;
        Ok(imported(ctx, done).await?.into())
    }

    /// Imports a list of measured positions. The same list twice is one. For all users.
    async fn import_fplane_positions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The list.")] input: ImportFplanePositionsInput,
    ) -> Result<ImportFplanePositionsPayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let done = async {
            let list = PositionsImport {
                text: &input.text,
                name: input.name.as_deref(),
                valid_from: instant(ctx, "validFrom", &input.valid_from).await?.at,
            };
            import::positions(&services.database, &author, &list, input.commit, Utc::now()).await
        };
        Ok(imported(ctx, done.await).await?.into())
    }

    /// Corrects what is known of a slot in a stretch of time, whatever was told of it. What was known until now can still be
    /// asked for, with `knownAt`. For all users.
    async fn correct_fplane(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is right.")] input: CorrectFplaneInput,
    ) -> Result<CorrectFplanePayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let done = async {
            let from = instant(ctx, "from", &input.from).await?.at;
            let until = match &input.until {
                Some(until) => Some(instant(ctx, "until", until).await?.at),
                None => None,
            };
            let correction = input.correction(from, until)?;
            let (database, now) = (&services.database, Utc::now());
            correct::correct(database, &author, &correction, input.commit, now).await
        };
        Ok(outcome(ctx, done.await).await?.into())
    }

    /// Names a state of the focal plane, so that `tag:NAME` can be asked for. An alias of this name moves; a frozen tag stays as
    /// it is. For all users.
    async fn tag_fplane(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name, and what it stands for.")] input: TagFplaneInput,
    ) -> Result<TagFplanePayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let made = async {
            let at = input.at.as_deref().unwrap_or_default();
            let named = instant(ctx, "at", at).await?;
            let new = NewTag {
                name: &input.name,
                as_of: AsOf {
                    at: named.at,
                    known_at: input.known_at.or(named.known_at),
                },
                frozen: input.frozen,
                description: input.description.as_deref(),
            };
            let row = tags::tag(&services.database, &author, &new, Utc::now()).await?;
            tag::with_people(&services.database, [row]).await
        };
        let made = made.await;
        services.feed.wake();
        let (made, errors) = payload(made)?;
        Ok(TagFplanePayload {
            tag: made.and_then(|mut tags| tags.pop()),
            errors,
        })
    }

    /// Deletes an alias. Frozen tags are not deleted. Deleting what there is not is no error. For all users.
    async fn delete_fplane_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The alias.")] input: DeleteFplaneTagInput,
    ) -> Result<DeleteFplaneTagPayload> {
        let (services, author) = (ctx.services()?, Author::User(ctx.signed_in()?));
        let done = tags::delete(&services.database, &author, &input.name, Utc::now()).await;
        services.feed.wake();
        let (deleted, errors) = payload(done)?;
        Ok(DeleteFplaneTagPayload {
            name: deleted.map(|_| input.name),
            deleted,
            errors,
        })
    }
}

/// What a date in this field of the input names.
async fn instant(ctx: &Context<'_>, field: &'static str, date: &str) -> Result<AsOf, Failure> {
    let services = ctx
        .services()
        .map_err(|error| Failure::internal(error.message))?;
    let (database, zone) = (&services.database, services.fplanes.night_zone);
    moments::resolve(database, field, Some(date), None, zone, Utc::now()).await
}

/// The answer to something that was told.
async fn outcome(ctx: &Context<'_>, done: Result<Outcome, Failure>) -> Result<Told> {
    ctx.services()?.feed.wake();
    let (done, errors) = payload(done)?;
    Told::of(ctx, done, Vec::new(), errors).await
}

/// The answer to something that was imported.
async fn imported(ctx: &Context<'_>, done: Result<Imported, Failure>) -> Result<Told> {
    ctx.services()?.feed.wake();
    let (done, errors) = payload(done)?;
    match done {
        Some(done) => Told::of(ctx, done.outcome, done.problems, errors).await,
        None => Told::of(ctx, None, Vec::new(), errors).await,
    }
}
