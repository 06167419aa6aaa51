//! Builds the reference roots below a directory: `reference DIRECTORY [SUITE]`.

use softboot_initrd::packages::Trust;
use softboot_initrd::progress::Silent;
use softboot_initrd::reference::{Form, ReferenceRoot, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let request = Request {
        cache: arguments.next().ok_or("which directory?")?.into(),
        suite: arguments.next().unwrap_or_else(|| "forky".to_owned()),
        trust: Trust::Signed,
    };
    for form in [Form::Stripped, Form::Stock] {
        let root = ReferenceRoot::build(&request, form, &mut Silent)?;
        println!(
            "{} {} {} packages {}",
            form.name(),
            root.version,
            root.packages.len(),
            root.path.display()
        );
    }
    Ok(())
}
