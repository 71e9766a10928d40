using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace LlmTune.Native;

/// <summary>
/// LibTorchSharp names the symbol version GLIBCXX_3.4.32 without using it, and Debian 12 and Ubuntu 22.04 lack it, so the loader
/// refuses the file. A private copy whose need is marked weak (ELF gABI, Vernaux.vna_flags bit 2) loads there. The copy lies in memory
/// alone (memfd_create) and is made anew by each process: in a folder, somebody else could put another library in its place.
/// </summary>
internal static partial class WeakenedLibrary
{
    private const string Need = "GLIBCXX_3.4.32";
    private const uint SectionOfNeeds = 0x6ffffffe;   // SHT_GNU_verneed
    private const uint CloseOnExec = 1;   // MFD_CLOEXEC

    /// <summary>Loads the copy.</summary>
    /// <exception cref="RequestException">The file has no such need, so that is not why it does not load; or the system makes no file in memory.</exception>
    public static nint Load(string library)
    {
        var bytes = Weakened(library);
        var descriptor = MemoryFile(Path.GetFileName(library), CloseOnExec);
        if (descriptor < 0)
        {
            throw new RequestException(
                $"cannot make a copy of {library} in memory for this system's older libstdc++ (memfd_create: {Marshal.GetLastPInvokeErrorMessage()}); "
                + "use a system whose libstdc++ has GLIBCXX_3.4.32 (GCC 13: Debian 13, Ubuntu 24.04)");
        }
        using var file = new SafeFileHandle(descriptor, ownsHandle: true);
        RandomAccess.Write(file, bytes, 0);
        return NativeLibrary.Load($"/proc/self/fd/{descriptor}");
    }

    /// <summary>The bytes of the library with its need marked weak.</summary>
    /// <exception cref="RequestException">The file has no such need.</exception>
    internal static byte[] Weakened(string library)
    {
        var bytes = File.ReadAllBytes(library);
        return IsMarkedWeak(bytes)
            ? bytes
            : throw new RequestException($"cannot load {library}: it is damaged, or a library it needs is missing (ldd {library} names it)");
    }

    private static bool IsMarkedWeak(byte[] elf)
    {
        try
        {
            return elf.AsSpan().StartsWith("\u007fELF\u0002\u0001"u8) && MarkWeak(elf);   // 64 bits, little endian
        }
        catch (Exception e) when (e is IndexOutOfRangeException or ArgumentException)
        {
            return false;   // cut off
        }
    }

    private static bool MarkWeak(byte[] elf)
    {
        var found = false;
        long sections = BitConverter.ToInt64(elf, 0x28);
        int size = BitConverter.ToUInt16(elf, 0x3A), count = BitConverter.ToUInt16(elf, 0x3C);
        for (var i = 0; i < count; i++)
        {
            var section = (int)sections + i * size;
            if (BitConverter.ToUInt32(elf, section + 4) != SectionOfNeeds) continue;
            var strings = (int)BitConverter.ToInt64(elf, (int)sections + (int)BitConverter.ToUInt32(elf, section + 40) * size + 24);
            var need = (int)BitConverter.ToInt64(elf, section + 24);
            for (var n = BitConverter.ToUInt32(elf, section + 44); n > 0; n--)
            {
                var version = need + (int)BitConverter.ToUInt32(elf, need + 8);
                for (int v = BitConverter.ToUInt16(elf, need + 2); v > 0; v--)
                {
                    var text = strings + (int)BitConverter.ToUInt32(elf, version + 8);
                    if (Encoding.ASCII.GetString(elf, text, Need.Length) == Need && elf[text + Need.Length] == 0)
                    {
                        elf[version + 4] |= 2;
                        found = true;
                    }
                    version += (int)BitConverter.ToUInt32(elf, version + 12);
                }
                need += (int)BitConverter.ToUInt32(elf, need + 12);
            }
        }
        return found;
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int MemoryFile(string name, uint flags);
}
