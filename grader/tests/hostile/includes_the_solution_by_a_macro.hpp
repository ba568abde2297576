// expect: not built : not found
#pragma once
#define FOLDER ../../solutions/01_first_future
#define TEXT(x) #x
#define QUOTED(x) TEXT(x)
#include QUOTED(FOLDER/first_future.hpp)
