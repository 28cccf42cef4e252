#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace io {

/// Move-only owner of an HDF5 identifier (hid_t); `close` is the matching H5?close. Never throws.
class H5Handle {
 public:
  using Close = int (*)(std::int64_t);
  H5Handle() = default;
  H5Handle(std::int64_t id, Close close) noexcept : id_(id), close_(close) {}
  H5Handle(H5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  H5Handle& operator=(H5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  H5Handle(const H5Handle&) = delete;
  H5Handle& operator=(const H5Handle&) = delete;
  ~H5Handle() {
    if (id_ >= 0) (void)close_(id_);
  }
  [[nodiscard]] std::int64_t get() const noexcept { return id_; }
  [[nodiscard]] std::int64_t release() noexcept { return std::exchange(id_, -1); }
  explicit operator bool() const noexcept { return id_ >= 0; }

 private:
  std::int64_t id_ = -1;
  Close close_ = nullptr;
};

/// `byte`: integers from 0 to 255, one byte each; only for writing. A reader sees `integer`.
enum class H5Kind { real, integer, byte, text, other };

/// Type class and dimensions of a data set, from its header: check them before trusting them.
struct H5Shape {
  H5Kind kind = H5Kind::other;
  std::vector<Index> dims;
  std::string type;  ///< stored type, for messages: "float64", "uint8", ...; empty if it is not a number
};

/// The value of a scalar attribute. A bool is stored as h5py stores it: an enumeration of FALSE and TRUE.
using H5Value = OptionValue;

/// The attribute of a data set that says what its indices count, one word for each, such as "sample input".
/// It is a text and no dimension scale of netCDF, which would need a data set for every dimension.
inline constexpr const char* axes_attribute = "dims";

/// Throws bad_input if `path` has a colon, because MPI-IO then does not take it as the name of a file. Not
/// collective; call on all ranks.
void require_parallel_name(const std::string& path);

/// An open HDF5 file. If it was opened with a communicator, every method is Collective on it, and if one rank
/// fails, all ranks throw the same Error; if it was opened `alone`, no method communicates. Errors contain
/// the path and HDF5's own error stack, which HDF5 does not print itself: bad_input for files opened for
/// reading, failure for files that are created. Every rank reads by POSIX I/O. Ranks write through MPI. A
/// rank whose write fails would leave the others waiting inside HDF5, so it prints the error and aborts the
/// world. Therefore reserve the space first, as write_checkpoint does: a full disk is then an Error, and only
/// hardware errors abort.
///
/// Data sets are row-major with one or more dimensions; "rows" are indices of the first dimension. Data sets
/// are written in chunks with fletcher32 checksums, which HDF5 verifies when it reads them. File locks are
/// not used. Files have the format of HDF5 1.10, whose own structures have checksums, too (files in memory:
/// the oldest format). Texts of attributes have variable length, so that h5py reads them as str; `close` adds
/// checksums of their heaps, which HDF5 itself does not have (hdf5_heaps.hpp).
///
/// Files that are read are not trusted. Links to other files are not followed. A data set is an error if its
/// data are in other files, if it has filters other than deflate, shuffle and fletcher32, or if it claims
/// more data than a file of this size can hold; so memory may be reserved for every `shape`. If a file makes
/// HDF5 itself crash or loop, a message names the file and the program ends (CrashGuard).
class H5File {
 public:
  /// Collective. Opens for reading. Throws bad_input with distinct messages if there is no such file, if it
  /// is a directory, if there is no permission to read it, or if it is not HDF5. `comm` must outlive the
  /// file.
  [[nodiscard]] static H5File open(MPI_Comm comm, const std::string& path);
  /// Collective. Creates for writing; replaces an old file.
  [[nodiscard]] static H5File create(MPI_Comm comm, const std::string& path);
  /// Not collective: only the calling rank opens the file, with POSIX I/O.
  [[nodiscard]] static H5File open_alone(const std::string& path);
  [[nodiscard]] static H5File create_alone(const std::string& path);
  /// Not collective. A file in memory; `path` is only for error messages. `image` returns its bytes.
  [[nodiscard]] static H5File create_in_memory(const std::string& path);
  [[nodiscard]] std::string image() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] MPI_Comm comm() const { return comm_; }
  /// Whether the texts of attributes are the ones that `close` left. If not, the file is damaged, or a
  /// program such as h5py has changed its texts. True for files of other programs. Ask before reading texts:
  /// a damaged text can make HDF5 crash.
  [[nodiscard]] bool has_sealed_texts() const;
  /// Size of the file in bytes.
  [[nodiscard]] std::uint64_t size() const;
  H5File(H5File&&) = default;
  H5File& operator=(H5File&&) = default;
  /// Closes, but cannot report errors. During an exception a file that all ranks write stays open until the
  /// next `open` or `create`.
  ~H5File();
  /// The raw file identifier, for the rest of the HDF5 API.
  [[nodiscard]] std::int64_t id() const { return file_.get(); }
  /// Hands everything to the operating system (not yet to the disk: that takes fsync) and closes.
  void close();

  /// Whether a group or data set of this absolute name exists.
  [[nodiscard]] bool exists(const std::string& name) const;
  /// Absolute names of all groups ("/" first) and data sets, sorted, without soft links. Throws if groups are
  /// nested more than 32 deep.
  [[nodiscard]] std::vector<std::string> objects() const;
  [[nodiscard]] bool is_group(const std::string& name) const;
  [[nodiscard]] H5Shape shape(const std::string& name) const;
  /// Also creates the parent groups; no error if the group exists.
  void create_group(const std::string& name);

  /// Reads rows [begin, end) into `out`, whose size must be the number of entries. Each rank passes its own
  /// rows, which may be empty. Integer sets may be read as doubles; reals are never read as integers.
  void read_rows(const std::string& name, Range rows, std::span<double> out) const;
  void read_rows(const std::string& name, Range rows, std::span<Index> out) const;
  /// Reads columns [begin, end) of a 2-D set into `out`, row-major with end - begin columns.
  void read_columns(const std::string& name, Range columns, std::span<double> out) const;

  /// Creates a data set of global shape `dims`. Each rank writes its own rows, which may be empty; the rows
  /// of different ranks must not overlap. `deflate`: level 0 (off) to 9, with byte shuffle.
  void write_rows(const std::string& name, const std::vector<Index>& dims, Range rows,
                  std::span<const double> data, int deflate = 0);
  void write_rows(const std::string& name, const std::vector<Index>& dims, Range rows,
                  std::span<const Index> data, int deflate = 0);
  /// The same in steps, for data that is never in memory as a whole: create_rows creates the data set, and
  /// each call of fill_rows writes some of its rows. Each rank passes its own rows, which may be empty.
  void create_rows(const std::string& name, const std::vector<Index>& dims, H5Kind kind, int deflate = 0);
  void fill_rows(const std::string& name, Range rows, std::span<const double> data);
  void fill_rows(const std::string& name, Range rows, std::span<const Index> data);
  void fill_rows(const std::string& name, Range rows, std::span<const std::uint8_t> data);
  /// Creates a `rows` x `columns` data set. Each rank writes its own columns `mine`, row-major.
  void write_columns(const std::string& name, Index rows, Index columns, Range mine,
                     std::span<const double> data);
  void write_columns(const std::string& name, Index rows, Index columns, Range mine,
                     std::span<const std::uint8_t> data, int deflate = 0);

  /// A whole list of texts of at most 4096 bytes, the same on every rank. It is written in place with fixed
  /// length (UTF-8); lists with fixed or variable length can be read. Blanks at the end of a text are
  /// padding: a reader leaves them out.
  [[nodiscard]] std::vector<std::string> read_texts(const std::string& name) const;
  void write_texts(const std::string& name, const std::vector<std::string>& texts);

  /// Attributes of a group or data set ("/" is the root group). Reading throws if the attribute is missing,
  /// not scalar or of a different type; an integer may be read as real.
  [[nodiscard]] std::vector<std::string> attributes(const std::string& object) const;
  [[nodiscard]] bool has_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] H5Value attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] double real_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] Index integer_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::string text_attribute(const std::string& object, const std::string& name) const;
  /// A number, or a list of at most 64 numbers.
  [[nodiscard]] std::vector<double> numbers_attribute(const std::string& object,
                                                      const std::string& name) const;
  /// Says what the indices of a data set count, axis by axis: every entry of `scales` is a 1-D data set with
  /// the values along that axis. It becomes a dimension scale, so that netCDF and xarray call the dimension
  /// by its name.
  void set_dimensions(const std::string& data_set, const std::vector<std::string>& scales);
  /// Every rank passes the same value; replaces an old value.
  void set_attribute(const std::string& object, const std::string& name, const H5Value& value);

 private:
  H5File(MPI_Comm comm, std::string path, bool writing, bool parallel)
      : comm_(comm), path_(std::move(path)), writing_(writing), parallel_(parallel) {}
  static H5File begin(MPI_Comm comm, const std::string& path, bool writing, bool parallel);
  [[nodiscard]] Error error(const std::string& what) const;
  void seal_texts();
  /// Calls HDF5 in `body` with `agree`. While reading, `body` may take at most `seconds` of computing time.
  void together(const std::function<void()>& body, int seconds = 30) const;
  template <class Result>
  Result checked(Result result, const std::string& what) const {
    if (result < 0) throw error(what);
    return result;
  }
  [[nodiscard]] H5Handle open_object(const std::string& name) const;
  [[nodiscard]] H5Handle open_data_set(const std::string& name) const;
  [[nodiscard]] H5Shape shape_of(std::int64_t data_set, const std::string& name) const;
  [[nodiscard]] H5Value read_value(std::int64_t attribute, const std::string& what) const;
  template <class Value>
  [[nodiscard]] Value typed_attribute(const std::string& object, const std::string& name,
                                      const char* type) const;
  void write_value(std::int64_t object, const std::string& name, const H5Value& value);
  [[nodiscard]] H5Handle create_data_set(const std::string& name, const std::vector<Index>& dims,
                                         std::size_t axis, H5Kind kind, int deflate);
  void read_block(const std::string& name, std::size_t axis, Range range, H5Kind kind, void* out,
                  std::size_t entries) const;
  void write_block(const std::string& name, const std::vector<Index>& dims, std::size_t axis, Range range,
                   H5Kind kind, const void* data, std::size_t entries, int deflate);
  void fill_block(const std::string& name, Range rows, H5Kind kind, const void* data, std::size_t entries);
  void transfer_block(std::int64_t data_set, const std::string& name, const std::vector<Index>& dims,
                      std::size_t axis, Range range, H5Kind kind, const void* data, std::size_t entries);

  MPI_Comm comm_;
  std::string path_;
  bool writing_;
  bool parallel_;
  H5Handle file_;
  H5Handle links_;  // how links are followed
};

}  // namespace io
}  // namespace poise
