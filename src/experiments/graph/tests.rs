use proptest::prelude::*;

use super::*;

fn shape(jobs: usize, edges: &[(usize, usize)]) -> Shape {
    Shape::new(jobs, edges.to_vec(), Vec::new())
}

/// A chain of setup, some members of some chunks, and an end.
fn ensemble(members: usize, chunks: usize) -> Shape {
    let mut edges = Vec::new();
    let job = |member: usize, chunk: usize| 1 + member * chunks + chunk;
    let end = 1 + members * chunks;
    for member in 0..members {
        edges.push((0, job(member, 0)));
        for chunk in 1..chunks {
            edges.push((job(member, chunk - 1), job(member, chunk)));
        }
        edges.push((job(member, chunks - 1), end));
    }
    // From the beginning to the end, past everything.
    edges.push((0, end));
    Shape::new(end + 1, edges, Vec::new())
}

prop_compose! {
    fn any_shape()(jobs in 1..40_usize)(
        jobs in Just(jobs),
        edges in prop::collection::vec((0..jobs + 2, 0..jobs + 2), 0..120),
        wrappers in prop::collection::vec(prop::option::of(0..4_usize), 0..40),
    ) -> Shape {
        Shape::new(jobs, edges, wrappers)
    }
}

prop_compose! {
    fn acyclic()(shape in any_shape()) -> Shape {
        let down = |&(from, to): &(usize, usize)| (from.min(to), from.max(to));
        Shape::new(shape.jobs, shape.edges.iter().map(down).collect(), shape.wrappers)
    }
}

proptest! {
    #[test]
    fn every_layout_places_every_job_of_any_graph(shape in any_shape()) {
        for layout in [Layout::Dot, Layout::Levels, Layout::Laplacian] {
            let drawing = draw(layout, &shape).unwrap();
            prop_assert_eq!(drawing.places.len(), shape.jobs);
            prop_assert!(drawing.bends.is_sorted_by_key(|(edge, _)| *edge));
            prop_assert!(drawing.bends.iter().all(|(edge, _)| *edge < shape.edges.len()));
            prop_assert_eq!(&drawing, &draw(layout, &shape).unwrap());
        }
    }

    #[test]
    fn edges_lead_down(shape in acyclic()) {
        let levels = levels(&shape);
        for layout in [Layout::Dot, Layout::Levels] {
            let drawing = draw(layout, &shape).unwrap();
            for (edge, &(parent, child)) in shape.edges.iter().enumerate() {
                prop_assert!(levels[parent] < levels[child]);
                let mut way = vec![drawing.places[parent]];
                way.extend(drawing.bends_of(edge));
                way.push(drawing.places[child]);
                prop_assert!(way.is_sorted_by(|from, to| from[1] < to[1]), "{:?}", way);
            }
        }
    }

    #[test]
    fn jobs_do_not_cover_each_other(shape in any_shape()) {
        for layout in [Layout::Dot, Layout::Levels] {
            let places = draw(layout, &shape).unwrap().places;
            for (number, left) in places.iter().enumerate() {
                for right in &places[number + 1..] {
                    let apart = (0..2).any(|axis| {
                        f64::from(left[axis].abs_diff(right[axis])) >= layered::BOX[axis]
                    });
                    prop_assert!(apart, "{left:?} {right:?}");
                }
            }
        }
    }

    #[test]
    fn a_key_says_what_a_drawing_is_made_of(shape in any_shape()) {
        let names: Vec<String> = (0..shape.jobs).map(|job| format!("a{job}")).collect();
        let of = |layout, shape: &Shape, names: &[String]| key(layout, shape, names.iter().map(String::as_str));
        let own = of(Layout::Dot, &shape, &names);
        prop_assert_eq!(&own, &of(Layout::Dot, &shape.clone(), &names));
        prop_assert_ne!(&own, &of(Layout::Levels, &shape, &names));
        let mut others = names.clone();
        others[0].push('b');
        prop_assert_ne!(&own, &of(Layout::Dot, &shape, &others));
        let mut other = shape.clone();
        other.wrappers[0] = Some(9);
        prop_assert_ne!(&own, &of(Layout::Dot, &other, &names));
        if other.edges.pop().is_some() {
            other.wrappers = shape.wrappers.clone();
            prop_assert_ne!(&own, &of(Layout::Dot, &other, &names));
        }
    }
}

#[test]
fn an_edge_goes_around_what_it_passes() {
    let shape = ensemble(1, 3);
    let drawing = draw(Layout::Dot, &shape).unwrap();
    let past = shape.edges.iter().position(|&edge| edge == (0, 4)).unwrap();
    let bends = drawing.bends_of(past);
    assert_eq!(bends.len(), 3);
    for (bend, job) in bends.iter().zip(1..4) {
        let place = drawing.places[job];
        assert_eq!(bend[1], place[1]);
        assert!(f64::from(bend[0].abs_diff(place[0])) > layered::BOX[0] / 2.0);
    }
}

#[test]
fn members_stand_beside_each_other() {
    let shape = ensemble(3, 4);
    let drawing = draw(Layout::Dot, &shape).unwrap();
    for member in 0..3 {
        let column: Vec<i32> = (0..4)
            .map(|chunk| drawing.places[1 + member * 4 + chunk][0])
            .collect();
        let spread = column.iter().max().unwrap() - column.iter().min().unwrap();
        assert!(spread < 40, "{column:?}");
    }
}

#[test]
fn what_is_too_large_for_one_layout_is_drawn_by_another() {
    let shape = ensemble(100, 101);
    let drawing = draw(Layout::Dot, &shape).unwrap();
    assert!(drawing.instead.unwrap().contains("10000 jobs"));
    assert_eq!(drawing.places, draw(Layout::Levels, &shape).unwrap().places);
    assert_eq!(
        draw(Layout::Laplacian, &shape),
        Err(GraphError::TooManyForLaplacian {
            jobs: 10_102,
            most: 10_000
        })
    );
    // 4,000 edges, each across up to 4,000 layers.
    let mut edges: Vec<_> = (1..4000).map(|job| (job - 1, job)).collect();
    edges.extend((2..4000).map(|job| (0, job)));
    let drawing = draw(Layout::Dot, &Shape::new(4000, edges, Vec::new())).unwrap();
    assert!(drawing.instead.unwrap().contains("200000 layers"));
}

#[test]
fn a_chain_has_the_eigenvectors_of_a_path() {
    // x = 10·n/λ·v with v_j = d_j·cos(π·k·j/(n−1)) and λ_k = 1 − cos(π·k/(n−1)), where the degrees are 1 at the ends and 2
    // between them.
    let jobs = 9;
    let edges: Vec<_> = (1..jobs).map(|job| (job - 1, job)).collect();
    let drawing = draw(Layout::Laplacian, &shape(jobs, &edges)).unwrap();
    for axis in 0..2 {
        let angle = std::f64::consts::PI * float(axis + 1) / float(jobs - 1);
        let degree = |job: usize| {
            if job == 0 || job == jobs - 1 {
                1.0_f64
            } else {
                2.0
            }
        };
        let vector: Vec<f64> = (0..jobs)
            .map(|job| degree(job).sqrt() * (angle * float(job)).cos())
            .collect();
        let length = vector.iter().map(|part| part * part).sum::<f64>().sqrt();
        let scale = 10.0 * float(jobs) / (1.0 - angle.cos()) / length;
        for (job, part) in vector.iter().enumerate() {
            // The first job stands on the left and above.
            let expected = (-part * scale).trunc();
            assert!((f64::from(drawing.places[job][axis]) - expected).abs() <= 1.0);
        }
    }
}

#[test]
fn jobs_without_edges_become_a_grid() {
    let drawing = draw(Layout::Dot, &shape(55, &[])).unwrap();
    let (low, high) = drawing.bounds();
    assert!(high[0] - low[0] < 1500 && high[1] - low[1] < 800);
}

#[test]
fn nothing_that_a_file_says_becomes_markup() {
    let named = |name: &str| {
        Arc::new(job::Model {
            name: name.to_owned(),
            section: Some("\"><script>".to_owned()),
            ..job::Model::default()
        })
    };
    let hostile = "a000_</title><script>alert('1')&\u{0}\u{1b}\u{ffff}";
    let workflow = Workflow {
        jobs: vec![named(hostile), named("a000_\"><script>")],
        shape: Shape::new(2, vec![(0, 1)], vec![Some(0), Some(0)]),
        wrappers: vec![Arc::from("<w>&")],
    };
    for layout in [Layout::Dot, Layout::Levels, Layout::Laplacian] {
        let drawing = draw(layout, &workflow.shape).unwrap();
        let picture = svg::jobs("<expid>", &workflow, &drawing, layout, &(0..2)).unwrap();
        assert!(
            !picture.contains("<script") && !picture.contains("<expid") && !picture.contains("<w>")
        );
        assert!(picture.contains("&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&amp;"));
        assert!(
            !picture
                .chars()
                .any(|character| character.is_control() && character != '\n')
        );
    }
    let grouped = groups::groups(
        groups::Grouping::Status,
        "<expid>",
        &workflow.jobs,
        &[[0, 0], [10, 20]],
    );
    assert_eq!(grouped[0].place, [5, 10]);
    assert!(!svg::groups("<expid>", &grouped).unwrap().contains("<expid"));
}

#[test]
fn groups_that_nobody_could_read_stay_where_they_are() {
    let places_of = |count: usize| {
        let job = |number: usize| {
            Arc::new(job::Model {
                date: Some(0),
                member: Some(number.to_string()),
                ..job::Model::default()
            })
        };
        let jobs: Vec<_> = (0..count).map(job).collect();
        let found = groups::groups(
            groups::Grouping::DateMember,
            "a000",
            &jobs,
            &vec![[0, 0]; count],
        );
        let mut heights: Vec<i32> = found.iter().map(|group| group.place[1]).collect();
        heights.sort_unstable();
        heights.dedup();
        heights.len()
    };
    assert_eq!((places_of(2), places_of(2_001)), (2, 1));
}
