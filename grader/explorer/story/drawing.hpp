// The story as a picture (SVG) and as a Chrome trace that ui.perfetto.dev opens.
#pragma once

#include <string>

#include "story/scene.hpp"

namespace explorer {

std::string draw_svg(const Scene& scene);
std::string write_chrome_trace(const Scene& scene);

}  // namespace explorer
