// What a stack looks like in a report. For stacks.
#pragma once

#include <map>
#include <vector>

#include "testing/stacks.hpp"
#include "testing/symbols.hpp"

namespace workbook::stacks {

// A pure function of its arguments but for the process id, by which it knows the test's own thread.
Report in_words(const std::vector<Stack>& stacks,
                const std::map<void*, std::vector<Symbol>>& symbols);

}  // namespace workbook::stacks
