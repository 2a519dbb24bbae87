/** Before any test: the pages' scripts are those of the sources, whenever the project was built. */
export { bundlePages as setup } from '../scripts/bundle-pages.mjs';
