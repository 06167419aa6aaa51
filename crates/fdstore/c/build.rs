//! Gives the shared library its name: programs that were linked with it find any later version that is compatible.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfdstore.so.0");
}
