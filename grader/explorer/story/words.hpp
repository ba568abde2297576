// What happens, in words a learner of the task understands.
#pragma once

#include <string>

#include "story/scene.hpp"

namespace explorer {

std::string words_for(const Event& event, const Scene& scene);
std::string headline_for(const Shared& memory, const Scene& scene);

// How the thread stood when the schedule ended.
std::string ending_of(const Shared& memory, const Scene& scene, int thread);

// A number's name; "waits for mutex_, which thread 2 holds".
std::string object_name(const Scene& scene, int number);
std::string waiting_for(const ThreadReport& thread, const Scene& scene);

// "2 ms", "1.5 s".
std::string duration(Nanoseconds time);

}  // namespace explorer
