//! Every target over everything that was found so far. One test: a target counts the descriptors of the process.

use std::path::Path;

use softboot_fuzz::TARGETS;

#[test]
fn the_corpus_holds() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, run) in TARGETS {
        let mut inputs = 0;
        for place in ["corpus", "regressions"] {
            let Ok(files) = std::fs::read_dir(own.join(place).join(name)) else {
                continue;
            };
            for file in files {
                let path = file.unwrap().path();
                // The last one printed is the one that breaks.
                println!("{}", path.display());
                run(&std::fs::read(&path).unwrap());
                inputs += 1;
            }
        }
        assert!(inputs > 0, "{name} has no corpus");
        run(b"");
    }
}
