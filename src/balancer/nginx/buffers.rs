//! Sizes of buffers that have to fit each other (`ngx_http_proxy_merge_loc_conf` and its like).

use super::levels::Levels;
use super::load::Config;
use super::tree::Directive;
use super::values;

/// A page of memory, the size of a buffer where none is written.
const PAGE: u64 = 4096;

/// What each protocol calls its buffers.
const NAMES: [[&str; 5]; 4] = [
    ["proxy_buffers", "proxy_buffer_size", "proxy_busy_buffers_size", "proxy_temp_file_write_size", "proxy_max_temp_file_size"],
    [
        "fastcgi_buffers",
        "fastcgi_buffer_size",
        "fastcgi_busy_buffers_size",
        "fastcgi_temp_file_write_size",
        "fastcgi_max_temp_file_size",
    ],
    ["uwsgi_buffers", "uwsgi_buffer_size", "uwsgi_busy_buffers_size", "uwsgi_temp_file_write_size", "uwsgi_max_temp_file_size"],
    ["scgi_buffers", "scgi_buffer_size", "scgi_busy_buffers_size", "scgi_temp_file_write_size", "scgi_max_temp_file_size"],
];

/// Checks what holds inside `block`; `always` even if the block itself says nothing of buffers.
pub fn check(config: &mut Config, levels: &Levels<'_>, block: &Directive, always: bool) {
    let speaks = |directive: &Directive| ["buffer", "temp_file"].iter().any(|part| directive.name.text.contains(part));
    if !always && !block.block().iter().any(speaks) {
        return;
    }
    for names in NAMES {
        let own = |directive: &&Directive| names.contains(&directive.name.text.as_str());
        let here = block.block().iter().find(own);
        let Some(place) = here.or_else(|| names.into_iter().find_map(|name| levels.one(name)).filter(|_| always)) else {
            continue;
        };
        let size =
            |name: &str, index: usize| levels.one(name).and_then(|directive| values::size(directive.argument(index)?, true));
        let count = levels.one(names[0]).and_then(|directive| values::number(directive.argument(0)?)).unwrap_or(8);
        let one = size(names[0], 1).unwrap_or(PAGE);
        let most = size(names[1], 0).unwrap_or(PAGE).max(one);
        let busy = size(names[2], 0).unwrap_or(2 * most);
        let refused = if count < 2 {
            Some(format!("there must be at least 2 {}", names[0]))
        } else if busy < most {
            Some(format!("{} must not be smaller than {} and one of {}", names[2], names[1], names[0]))
        } else if busy > (count - 1).saturating_mul(one) {
            Some(format!(
                "{} ({busy} bytes) must not be greater than all {} but one: make the buffers greater or more",
                names[2], names[0]
            ))
        } else if size(names[3], 0).is_some_and(|size| size < most)
            || size(names[4], 0).is_some_and(|size| size > 0 && size < most)
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
