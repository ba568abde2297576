// The explorer beside what one has without it: for each bug of the catalogue, how long a plain
// stress loop, the same loop under ThreadSanitizer and the explorer take to find it.
//   bench [SECONDS]   limit for each loop (10)
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return text;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe)) text += buffer.data();
  pclose(pipe);
  return text;
}

std::string field(const std::string& json, const std::string& name) {
  std::size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos) return "";
  at += name.size() + 3;
  bool text = json[at] == '"';
  if (text) ++at;
  return json.substr(at, json.find_first_of(text ? "\"" : ",}", at) - at);
}

std::string cell(const std::string& json) {
  std::string kind = field(json, "kind");
  double seconds = std::atof(field(json, "seconds").c_str());
  if (kind.empty()) return "?";
  if (kind == "none") return "-";
  char text[60];
  std::snprintf(text, sizeof text, seconds < 1 ? "%.0f ms" : "%.1f s",
                seconds < 1 ? seconds * 1000 : seconds);
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  std::string limit = argc > 1 ? argv[1] : "10";
  std::vector<std::string> names;
  std::string list = output_of(CATALOGUE_EXPLORED);
  for (std::size_t at = 0; at < list.size();) {
    std::size_t end = list.find('\n', at);
    names.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  std::printf(
      "Time to the first detection; a dash: not within %s s. Right twin: schedules/s, verdict.\n\n",
      limit.c_str());
  std::printf("%-32s %10s %10s %10s %10s  %8s  %s\n", "bug", "stress", "TSan", "explorer",
              "schedules", "right/s", "right twin");
  for (const std::string& name : names) {
    std::string plain = output_of(std::string(CATALOGUE_STRESS) + " " + name + " flawed " + limit);
    std::string sanitized =
        output_of("TSAN_OPTIONS='halt_on_error=1 exitcode=66' setarch -R " CATALOGUE_TSAN " " +
                  name + " flawed " + limit);
    std::string found =
        output_of("setarch -R " CATALOGUE_EXPLORED " " + name + " flawed --seconds=" + limit);
    std::string right =
        output_of("setarch -R " CATALOGUE_EXPLORED " " + name + " right --seconds=2");
    std::printf("%-32s %10s %10s %10s %10s  %8s  %s\n", name.c_str(), cell(plain).c_str(),
                cell(sanitized).c_str(), cell(found).c_str(), field(found, "schedules").c_str(),
                field(right, "rate").c_str(),
                (field(right, "kind") == "none" ? field(right, "verdict")
                                                : "FALSE ALARM: " + field(right, "kind"))
                    .c_str());
    std::fflush(stdout);
  }
}
