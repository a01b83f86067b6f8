use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use super::*;

/// What somebody tells. There is one track; who does not name it says nothing of it.
#[derive(Clone, Debug)]
enum Told {
    Claim(i64, Option<u8>),
    Correction(i64, Option<i64>, Option<u8>),
    /// Something about another track.
    Else(i64),
}

/// What is said of the track, by the instants: the meaning of the log.
#[derive(Clone, Debug, Default, PartialEq)]
struct Naive(BTreeMap<i64, Option<u8>>);

impl Naive {
    fn at(&self, at: i64) -> Option<u8> {
        *self.0.range(..=at).next_back()?.1
    }

    fn tell(&mut self, told: &Told) {
        match *told {
            Told::Claim(at, value) => {
                self.0.insert(at, value);
            }
            Told::Correction(from, until, value) => {
                let held = until.map(|until| (until, self.at(until)));
                self.0
                    .retain(|at, _| *at < from || until.is_some_and(|until| *at >= until));
                self.0.insert(from, value);
                if let Some((until, held)) = held {
                    self.0.entry(until).or_insert(held);
                }
            }
            Told::Else(_) => {}
        }
    }
}

#[derive(Clone, Debug)]
struct Record {
    piece: Piece<u8, i64>,
    known_from: i64,
    known_until: Option<i64>,
}

/// Records and sources as the database has them.
#[derive(Clone, Debug, Default)]
struct Store {
    records: Vec<Record>,
    log: Vec<Saying>,
}

fn saying(order: i64, told: &Told) -> Option<Saying> {
    let (from, until, is_correction) = match *told {
        Told::Claim(at, _) => (at, None, false),
        Told::Correction(from, until, _) => (from, until, true),
        Told::Else(_) => return None,
    };
    Some(Saying {
        order,
        from,
        until,
        is_correction,
    })
}

impl Store {
    /// The records that the statement reads which loads a window.
    fn load(&self, window: Window) -> Vec<(usize, Piece<u8, i64>)> {
        let current = || {
            let all = self.records.iter().enumerate();
            all.filter(|(_, record)| record.known_until.is_none())
        };
        let starts = || current().map(|(_, record)| record.piece.from);
        let first = starts().filter(|from| *from < window.from).max();
        let last = window
            .until
            .and_then(|until| starts().filter(|from| *from > until).min());
        let mut loaded: Vec<_> = current()
            .filter(|(_, it)| first.is_none_or(|first| it.piece.from >= first))
            .filter(|(_, it)| last.is_none_or(|last| it.piece.from <= last))
            .map(|(key, record)| (key, record.piece))
            .collect();
        loaded.sort_by_key(|(_, piece)| piece.from);
        loaded
    }

    /// Tells several things with one command.
    fn tell(&mut self, known_at: i64, told: &[Told]) {
        let window = Window {
            from: told.iter().map(begin).min().unwrap_or_default(),
            until: told
                .iter()
                .map(end)
                .max_by_key(|end| end.unwrap_or(i64::MAX))
                .flatten(),
        };
        let before = self.load(window);
        let mut timeline = Timeline::of(before.iter().map(|(_, piece)| *piece));
        let corrections: Vec<Saying> = self
            .log
            .iter()
            .copied()
            .filter(|it| it.is_correction)
            .collect();
        timeline.was_said(instants(&self.log, &corrections));
        for told in told {
            let order = i64::try_from(self.log.len()).unwrap();
            match *told {
                Told::Claim(at, value) => timeline.claim(at, value, known_at),
                Told::Correction(from, until, value) => {
                    timeline.correct(from, until, value, known_at);
                }
                Told::Else(_) => {}
            }
            self.log.extend(saying(order, told));
        }
        let (ended, new) = difference(&before, &timeline);
        for key in ended {
            self.records.get_mut(key).unwrap().known_until = Some(known_at);
        }
        self.records.extend(new.into_iter().map(|piece| Record {
            piece,
            known_from: known_at,
            known_until: None,
        }));
    }

    fn known(&self, known_at: i64) -> Vec<Piece<u8, i64>> {
        let is_known = |it: &&Record| {
            it.known_from <= known_at && it.known_until.is_none_or(|until| known_at < until)
        };
        let mut known: Vec<_> = self
            .records
            .iter()
            .filter(is_known)
            .map(|it| it.piece)
            .collect();
        known.sort_by_key(|piece| piece.from);
        known
    }
}

fn begin(told: &Told) -> i64 {
    match told {
        Told::Claim(at, _) | Told::Correction(at, ..) | Told::Else(at) => *at,
    }
}

fn end(told: &Told) -> Option<i64> {
    match told {
        Told::Claim(at, _) | Told::Else(at) => Some(*at),
        Told::Correction(_, until, _) => *until,
    }
}

/// Few instants and values, so that they meet.
fn told() -> impl Strategy<Value = Told> {
    let value = || weighted(0.8, 0..3_u8);
    let correction = (0..20_i64, weighted(0.8, 1..8_i64), value());
    prop_oneof![
        4 => (0..20_i64, value()).prop_map(|(at, value)| Told::Claim(at, value)),
        2 => correction.prop_map(|(from, long, value)| {
            Told::Correction(from, long.map(|long| from + long), value)
        }),
        1 => (0..20_i64).prop_map(Told::Else),
    ]
}

proptest! {
    /// Whatever is told in whatever order, alone or several with one command: at each instant the records say what the log
    /// means, by what was known then and since.
    #[test]
    fn records_say_what_was_told(commands in vec(vec(told(), 1..4), 1..14)) {
        let (mut store, mut naive) = (Store::default(), Naive::default());
        let mut meanings = Vec::new();
        for (place, told) in commands.iter().enumerate() {
            store.tell(i64::try_from(place).unwrap(), told);
            for told in told {
                naive.tell(told);
            }
            meanings.push(naive.clone());
        }
        for (place, meaning) in meanings.iter().enumerate() {
            let known = store.known(i64::try_from(place).unwrap());
            for at in -1..30 {
                let holds = |piece: &&Piece<u8, i64>| {
                    piece.from <= at && piece.until.is_none_or(|until| at < until)
                };
                let held: Vec<u8> = known.iter().filter(holds).map(|piece| piece.value).collect();
                prop_assert_eq!(held, meaning.at(at).into_iter().collect::<Vec<_>>(), "{} known at {}", at, place);
            }
            for pair in known.windows(2) {
                if let [left, right] = pair {
                    let meets = left.until == Some(right.from);
                    prop_assert!(!(meets && left.value == right.value), "{:?} {:?}", left, right);
                }
            }
        }
    }

    /// Statements that are told at once mean what they mean one after the other.
    #[test]
    fn a_command_of_many_is_many_commands(told in vec(told(), 1..8), before in vec(told(), 0..6)) {
        let mut at_once = Store::default();
        at_once.tell(0, &before);
        let mut single = at_once.clone();
        at_once.tell(1, &told);
        for (place, told) in (1..).zip(&told) {
            single.tell(place, std::slice::from_ref(told));
        }
        let values = |store: &Store| -> Vec<_> {
            let known = store.known(100).into_iter();
            known.map(|piece| (piece.from, piece.until, piece.value)).collect()
        };
        prop_assert_eq!(values(&at_once), values(&single));
    }
}

fn piece(from: i64, until: Option<i64>, value: u8, source: i64) -> Piece<u8, i64> {
    Piece {
        from,
        until,
        value,
        source,
    }
}

#[test]
fn a_late_message_holds_until_the_next_word_even_if_that_changed_nothing() {
    let mut timeline = Timeline::of([piece(0, None, 1, 10)]);
    timeline.was_said([20]);
    timeline.claim(10, Some(2), 11);
    let pieces: Vec<_> = timeline.pieces().collect();
    let expected = [
        piece(0, Some(10), 1, 10),
        piece(10, Some(20), 2, 11),
        piece(20, None, 1, 10),
    ];
    assert_eq!(pieces, expected);
}

#[test]
fn a_corrected_word_ends_nothing() {
    let word = Saying {
        order: 1,
        from: 20,
        until: None,
        is_correction: false,
    };
    let correction = Saying {
        order: 2,
        from: 15,
        until: Some(30),
        is_correction: true,
    };
    let found = instants(&[word, correction], &[correction]);
    assert_eq!(found, BTreeSet::from([15, 30]));
    let later = Saying { order: 3, ..word };
    let found = instants(&[later, correction], &[correction]);
    assert_eq!(found, BTreeSet::from([15, 20, 30]));
}

#[test]
fn who_says_what_is_there_is_not_who_said_it_first() {
    let mut timeline = Timeline::of([piece(0, None, 1, 10)]);
    timeline.claim(0, Some(1), 11);
    timeline.claim(5, Some(1), 12);
    assert_eq!(
        timeline.pieces().collect::<Vec<_>>(),
        [piece(0, None, 1, 10)]
    );
    let (ended, new) = difference(&[(7, piece(0, None, 1, 10))], &timeline);
    assert!(ended.is_empty() && new.is_empty());
}

#[test]
fn a_stretch_without_instants_changes_nothing() {
    let mut timeline = Timeline::of([piece(0, None, 1, 10)]);
    let before = timeline.clone();
    timeline.correct(5, Some(5), Some(2), 11);
    assert_eq!(timeline, before);
}
