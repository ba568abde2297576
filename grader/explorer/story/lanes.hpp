// The story as text: a column per thread, time runs downwards.
#pragma once

#include <string>

#include "story/scene.hpp"

namespace explorer {

std::string draw_lanes(const Scene& scene, int columns);

}  // namespace explorer
