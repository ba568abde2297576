// What the watching side has to know about its own program and processor.
#pragma once

#include <string>

namespace explorer {

// Tells the runtime where the program's code is and which library functions are formally racy.
void load_code_map();

// Eight hexadecimal digits that change when the program does.
std::string build_identity();

// All threads of this process on the processor it is on: hand-overs are cheapest that way.
void stay_on_this_processor();

}  // namespace explorer
