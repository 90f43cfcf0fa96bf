//! `tagout init`.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::InitArgs;
use crate::commands::say;
use crate::config::Config;
use crate::exit::Exit;
use crate::key;

pub(crate) fn run(path: &Path, args: &InitArgs) -> anyhow::Result<Exit> {
    if path.exists() {
        bail!("`{}` is there already; nothing was changed", path.display());
    }
    let key_file = match &args.key_file {
        Some(path) => path.clone(),
        None => key::default_path()?,
    };
    let key_file = std::path::absolute(key_file)?;
    let path_now = std::path::absolute(path)?;
    let base = path_now.parent().unwrap_or(Path::new("/"));
    let data = base.join(&args.data);
    if key_file.starts_with(&data) {
        bail!(
            "the key must not lie in the data folder `{}`: who copies the one would have the other",
            data.display()
        );
    }
    if key_file.exists() {
        say(&format!(
            "using the key that is there: {}",
            key_file.display()
        ));
        key::read(&format!("file:{}", key_file.display()))?;
    } else {
        key::create(&key_file)?;
    }
    write_config(path, args, &key_file)?;
    let config = Config::read(path)?;
    create_data(&config.data)?;
    say(&format!(
        "wrote {} and the key {}\nnext: tagout serve",
        path.display(),
        key_file.display()
    ));
    Ok(Exit::Ok)
}

fn write_config(path: &Path, args: &InitArgs, key_file: &Path) -> anyhow::Result<()> {
    let text = format!(
        "# Tagout. Plumbing only: rights, labels, policies and upstreams count once a person has\n\
         # accepted them in the console.\n\
         data = {data:?}\n\
         # A reference: file:, env: or systemd:. Keep it away from the data.\n\
         key = {key:?}\n\n\
         [console]\n\
         # Fixed: passkeys are bound to it.\n\
         url = {url:?}\n\
         listen = \"{console}\"\n\n\
         [agents]\n\
         reverse = \"{agents}\"\n",
        data = args.data.display().to_string(),
        key = format!("file:{}", key_file.display()),
        url = args.console_url,
        console = args.console_listen,
        agents = args.agents_listen,
    );
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let mut file = file.with_context(|| format!("can't write `{}`", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn create_data(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data);
    made.with_context(|| format!("can't create `{}`", data.display()))
}
