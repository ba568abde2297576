// expect: refused : ../solutions
#pragma once
#include "../../solutions/01_first_future/first_future.hpp"
