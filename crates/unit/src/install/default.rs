//! What a boot starts: default.target.

use super::{Change, InstallError, Installer, PERSISTENT, Plan};
use crate::model::LoadState;
use crate::name::{UnitKind, UnitName};

const DEFAULT: &str = "default.target";

impl Installer<'_> {
    /// The unit that default.target stands for.
    pub fn default_target(&self) -> Result<UnitName, InstallError> {
        let name = default_name()?;
        let definition = self.loader.load(&name);
        match definition.load {
            LoadState::Masked => Err(InstallError::Masked(name)),
            LoadState::Error(reason) => Err(InstallError::Unusable(name, reason)),
            LoadState::NotFound => Err(InstallError::NotFound(definition.name)),
            _ => Ok(definition.name),
        }
    }

    /// Another target for the boots to come; a link that is there is replaced, a file is not.
    pub fn set_default(&self, name: &UnitName) -> Result<Plan, InstallError> {
        if name.kind() != UnitKind::Target || *name == default_name()? {
            return Err(InstallError::NoDefault(name.clone()));
        }
        let mut plan = Plan::default();
        let target = match self.usable(name) {
            Ok(definition) => definition.fragment.unwrap_or_default(),
            // Built in, so that the link is all there is. The name is what counts in it.
            Err(InstallError::NotFound(_)) if self.is_built_in(name) => {
                format!("/usr/lib/systemd/system/{name}")
            }
            Err(error) => return Err(error),
        };
        let path = format!("{PERSISTENT}/{DEFAULT}");
        if self.is_other_than_link(&path)? {
            let what = "a file of its own".to_owned();
            return Err(InstallError::InTheWay { path, what });
        }
        if self.link_at(&path)?.as_deref() != Some(target.as_str()) {
            plan.changes.push(Change::Link { path, target });
        }
        for path in self.stronger_than(PERSISTENT, &default_name()?)? {
            plan.notes
                .push(format!("the boot does not follow this: {path} counts more"));
        }
        Ok(plan)
    }

    fn is_built_in(&self, name: &UnitName) -> bool {
        let definition = self.loader.load(name);
        definition.name == *name && definition.load == LoadState::Loaded && definition.fragment.is_none()
    }
}

fn default_name() -> Result<UnitName, InstallError> {
    Ok(UnitName::new(DEFAULT)?)
}
