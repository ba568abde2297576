#pragma once

#include <filesystem>
#include <string>

namespace grader {

// The compiler that submissions are built with.
struct Toolchain {
  std::filesystem::path compiler;
  bool clang = false;
  int major = 0;
  std::string description;  // "clang 19"
  std::string identity;     // changes when the compiler, the libraries or GoogleTest do
};

// The newest clang++ from 19 on with its sanitizers, else the newest g++ from 12 on;
// WORKBOOK_CXX names another one. Throws MachineError when there is none, or no GoogleTest.
Toolchain find_toolchain();

}  // namespace grader
