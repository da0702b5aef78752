//! Sizes of buffers that have to fit each other (`ngx_http_proxy_merge_loc_conf` and its like).

use super::levels::Levels;
use super::load::Config;
use super::tree::Directive;
use super::values;

/// A page of memory, the size of a buffer where none is written.
const PAGE: u64 = 4096;

/// Checks what holds inside `block`; `always` even if the block itself says nothing of buffers.
pub fn check(config: &mut Config, levels: &Levels<'_>, block: &Directive, always: bool) {
    let speaks = |directive: &Directive| ["buffer", "temp_file"].iter().any(|part| directive.name.text.contains(part));
    if !always && !block.block().iter().any(speaks) {
        return;
    }
    for protocol in ["proxy", "fastcgi", "uwsgi", "scgi"] {
        let name = |what: &str| format!("{protocol}_{what}");
        let names = [
            name("buffers"),
            name("buffer_size"),
            name("busy_buffers_size"),
            name("temp_file_write_size"),
            name("max_temp_file_size"),
        ];
        let own = |directive: &&Directive| names.contains(&directive.name.text);
        let here = block.block().iter().find(own);
        let Some(place) = here.or_else(|| names.iter().find_map(|name| levels.one(name)).filter(|_| always)) else { continue };
        let size =
            |name: &str, index: usize| levels.one(name).and_then(|directive| values::size(directive.argument(index)?, true));
        let count = levels.one(&names[0]).and_then(|directive| values::number(directive.argument(0)?)).unwrap_or(8);
        let one = size(&names[0], 1).unwrap_or(PAGE);
        let most = size(&names[1], 0).unwrap_or(PAGE).max(one);
        let busy = size(&names[2], 0).unwrap_or(2 * most);
        let refused = if count < 2 {
            Some(format!("there must be at least 2 {}", names[0]))
        } else if busy < most {
            Some(format!("{} must not be smaller than {} and one of {}", names[2], names[1], names[0]))
        } else if busy > (count - 1).saturating_mul(one) {
            Some(format!(
                "{} ({busy} bytes) must not be greater than all {} but one: make the buffers greater or more",
                names[2], names[0]
            ))
        } else if size(&names[3], 0).is_some_and(|size| size < most)
            || size(&names[4], 0).is_some_and(|size| size > 0 && size < most)
        {
            Some(format!("{} and {} must not be smaller than {}", names[3], names[4], names[1]))
        } else {
            None
        };
        if let Some(text) = refused {
            config.error(place, text);
        }
    }
}
