// What a future whose deadline tightens must do. Every test is a sentence; a failure says what was
// seen and what to think about next.
#include "suite_explored.hpp"

#ifndef WORKBOOK_RUNS_EXPLORED_ONLY
#include "suite_basic.hpp"
#include "suite_lifecycle.hpp"
#include "suite_stress.hpp"
#endif
