/** The part of the Emscripten module that `parser.ts` uses: the package has types for its wrapper only. */
declare module 'libpg-query/wasm/libpg-query.js' {
  export type PgQueryModule = {
    readonly HEAPU8: Uint8Array
    readonly lengthBytesUTF8: (text: string) => number
    readonly stringToUTF8: (text: string, pointer: number, sizeBytes: number) => void
    readonly UTF8ToString: (pointer: number) => string
    readonly getValue: (pointer: number, type: 'i32') => number
    readonly _malloc: (sizeBytes: number) => number
    readonly _free: (pointer: number) => void
    readonly _wasm_parse_query_raw: (text: number) => number
    readonly _wasm_free_parse_result: (result: number) => void
  }
  type Options = {
    readonly instantiateWasm: (imports: object, receive: (instance: WebAssembly.Instance) => void) => object
  }
  const load: (options: Options) => Promise<PgQueryModule>
  export default load
}

/** Node has it; its types for version 20 do not. */
declare namespace WebAssembly {
  class Module {
    private readonly brand
  }
  class Instance {
    constructor(module: Module, imports: object)
    private readonly brand
  }
  function compile(bytes: Uint8Array): Promise<Module>
}
