use super::*;
use crate::files::MemoryFiles;

const USR: &str = "/usr/lib/systemd/system";

fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

#[test]
fn a_part_of_a_closure_is_the_closure_of_that_part() {
    let files = MemoryFiles::new()
        .file(
            &format!("{USR}/boot.target"),
            "[Unit]\nWants=web.socket db.service\nAfter=db.service\n",
        )
        .file(&format!("{USR}/web.socket"), "[Socket]\nListenStream=/run/web\n")
        .file(&format!("{USR}/web.service"), "[Service]\nExecStart=/bin/true\n")
        .file(&format!("{USR}/db.service"), "[Service]\nExecStart=/bin/true\n")
        .file(
            &format!("{USR}/old.service"),
            "[Unit]\nAfter=older.service\n[Service]\nExecStart=/bin/true\n",
        );
    let loader = Loader::new(&files, crate::default_paths(), Specifiers::default());
    let load = |names: &[UnitName]| loader.load_closure(names, &|_| false);
    let (boot, old) = (name("boot.target"), name("old.service"));
    let all = load(&[boot.clone(), old]);
    let (part, missing) = closure_of(std::slice::from_ref(&boot), all.clone());
    assert_eq!(part, load(std::slice::from_ref(&boot)));
    assert!(missing.is_empty());
    assert!(part.len() < all.len());
    let (_, missing) = closure_of(&[boot, name("new.service")], all);
    assert_eq!(missing, [name("new.service")]);
}
