using System.IO.MemoryMappedFiles;
using LlmTune.Native;
using Microsoft.Win32.SafeHandles;

namespace LlmTune.Io;

/// <summary>
/// One memory-mapped safetensors file. Its header is checked completely on opening: sizes, offsets without holes or overlaps, types.
/// The mapping stays until this object and every tensor made from it are disposed. It is read-only: writing into such a tensor
/// ends the process, so whatever is trained must be a copy. Replacing the file by renaming another over it (as
/// <see cref="AtomicFile"/> and <see cref="SafetensorsWriter"/> do) is safe on Linux and macOS, where the mapping keeps the old
/// content; Windows refuses it. Changing the file in place is not safe.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafeMemoryMappedViewHandle? _view;   // null for a file without data
    private readonly SafetensorsHeader _header;
    private bool _disposed;

    private SafetensorsFile(string path, SafetensorsHeader header, SafeMemoryMappedViewHandle? view) => (Path, _header, _view) = (path, header, view);

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _header.Tensors;

    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <exception cref="RequestException">There is no such file, it may not be read, or it is a pointer of Git LFS.</exception>
    /// <exception cref="RunException">It is not a sound safetensors file; the message lists every problem.</exception>
    public static SafetensorsFile Open(string path)
    {
        try
        {
            LfsPointer.Refuse(path);
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            var bytes = stream.Length;
            var start = new byte[SafetensorsHeader.LengthBytes];
            var read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            var json = new byte[SafetensorsHeader.JsonLength(path, start.AsSpan(0, read), bytes)];
            stream.ReadExactly(json);
            var header = SafetensorsHeader.Parse(path, json, bytes);
            if (header.Tensors.Values.All(tensor => tensor.Bytes == 0)) return new SafetensorsFile(path, header, null);
            using var map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            var view = map.CreateViewAccessor(0, bytes, MemoryMappedFileAccess.Read).SafeMemoryMappedViewHandle;
            return new SafetensorsFile(path, header, view);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new RequestException($"{path} does not exist", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RequestException($"cannot read {path}: {e.Message}", e);
        }
    }

    /// <summary>
    /// A tensor over the mapped memory, on the CPU, not copied (but where the file puts its data at an address that is not a
    /// multiple of the type's size). Read-only. It may outlive this object.
    /// </summary>
    public Tensor Alias(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!Tensors.TryGetValue(name, out var tensor)) throw new RunException($"{Path} has no tensor '{name}'");
        if (tensor.Bytes == 0) return empty(tensor.Shape, dtype: tensor.Type);
        var address = _view!.DangerousGetHandle() + (nint)tensor.Offset;
        if (address % SafetensorsType.Find(tensor.Type)!.Bytes == 0) return ForeignMemory.Alias(address, tensor.Shape, tensor.Type, _view);
        var aligned = empty(tensor.Shape, dtype: tensor.Type);
        ForeignMemory.Copy(address, aligned, tensor.Bytes, _view);
        return aligned;
    }

    /// <summary>Says that a tensor has been copied and its part of the file need not stay in memory; it can be read again all the same.</summary>
    public void Forget(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Tensors.TryGetValue(name, out var tensor) && tensor.Bytes > 0)
            ForeignMemory.Forget(_view!.DangerousGetHandle() + (nint)tensor.Offset, tensor.Bytes, _view);
    }

    public void Dispose()
    {
        _disposed = true;
        _view?.Dispose();
    }
}
