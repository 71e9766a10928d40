using System.Security.Cryptography;
using System.Text;

namespace LlmTune.Native;

/// <summary>
/// LibTorchSharp names the symbol version GLIBCXX_3.4.32 without using it, and Debian 12 and Ubuntu 22.04 lack it, so the loader
/// refuses the file. A private copy whose need is marked weak (ELF gABI, Vernaux.vna_flags bit 2) loads there.
/// </summary>
internal static class WeakenedLibrary
{
    private const string Need = "GLIBCXX_3.4.32";
    private const uint SectionOfNeeds = 0x6ffffffe;   // SHT_GNU_verneed

    /// <summary>Writes the copy once per content into the user's cache (or a temporary folder) and returns its path.</summary>
    /// <exception cref="RequestException">The file has no such need, so that is not why it does not load.</exception>
    public static string Make(string library)
    {
        var bytes = File.ReadAllBytes(library);
        if (!IsMarkedWeak(bytes))
            throw new RequestException($"cannot load {library}: it is damaged, or a library it needs is missing (ldd {library} names it)");
        var name = Convert.ToHexStringLower(SHA256.HashData(bytes))[..16];
        foreach (var root in new[] { Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), Path.GetTempPath() })
        {
            if (root.Length == 0) continue;
            var copy = Path.Combine(root, "llmtune", name, Path.GetFileName(library));
            try
            {
                if (File.Exists(copy) && File.ReadAllBytes(copy).AsSpan().SequenceEqual(bytes)) return copy;
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                var staged = $"{copy}.{Environment.ProcessId}";
                File.WriteAllBytes(staged, bytes);
                File.Move(staged, copy, overwrite: true);
                return copy;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A read-only home: the temporary folder is next.
            }
        }
        throw new RequestException(
            $"cannot write a copy of {library} for this system's older libstdc++: neither the user's cache nor the temporary folder is writable");
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
}
