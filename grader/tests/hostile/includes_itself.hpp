// expect: not built : nested too deeply
#include "first_future.hpp"
