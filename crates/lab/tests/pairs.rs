//! Proves every side of every scenario: a leak leaks as it states, a fix comes back, a wrong turn still leaks, and both
//! witnesses agree. The tests are found by listing the folder; `cargo test --test pairs unclosed-pipe` runs some of them.

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use lab::{cargo, pair, root, scenario, scenario::Scenario, verdict};
use libtest_mimic::{Arguments, Failed, Trial};

/// Most of a run is waiting: twice as many at once as there are cores still leave each side time to work.
const RUNS_AT_ONCE: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(RUNS_AT_ONCE);
    let root: Arc<Path> = root::find().expect("the tests run inside the workbook").into();
    let scenarios = block_on(scenario::all(&root)).expect("cargo can read the workspace");
    let built = Arc::new(OnceLock::new());
    let bins: Arc<[String]> =
        scenarios.iter().flat_map(|one| one.sides.iter().map(|side| one.bin(side))).collect::<Vec<_>>().into();
    let trials = scenarios.into_iter().flat_map(|scenario| {
        let (root, built, bins) = (root.clone(), built.clone(), bins.clone());
        scenario.sides.clone().into_iter().map(move |side| {
            let (scenario, root, built, bins) = (scenario.clone(), root.clone(), built.clone(), bins.clone());
            Trial::test(format!("{}::{side}", scenario.name), move || {
                // One build for all, by whichever test comes first.
                let build =
                    || block_on(cargo::build(&root, &bins, |_| {})).map(drop).map_err(|error| format!("{error:#}"));
                built.get_or_init(build).clone()?;
                prove(&root, &scenario, side)
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs one side with the load it states and holds the verdict against what it states.
fn prove(root: &Path, scenario: &Scenario, side: String) -> Result<(), Failed> {
    let runs = block_on(pair::run(root, scenario, std::slice::from_ref(&side), &[], &|_| {}));
    let run = &runs.map_err(|error| format!("{error:#}"))?[&side];
    let verdict = verdict::judge(run, &scenario.lab.gauge);
    let stated = scenario.lab.survivors[&side][&scenario.lab.gauge];
    let expected = if stated > 0.0 { verdict::Outcome::Leaks } else { verdict::Outcome::Converges };
    if verdict.outcome == expected { Ok(()) } else { Err(verdict.text(&scenario.lab.unit).into()) }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(work)
}
