// The checks of task 14, on a real Redis: one process, then many moments, then faults, then many
// processes.
#include "suite_basic.hpp"
#include "suite_calls.hpp"
#include "suite_faults.hpp"
#include "suite_moments.hpp"
#include "suite_processes.hpp"
#include "suite_repeats.hpp"
