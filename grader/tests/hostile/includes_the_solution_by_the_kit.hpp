// expect: refused : solutions
#pragma once
#include "runtime/../../solutions/01_first_future/first_future.hpp"
